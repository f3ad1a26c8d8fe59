/// What became of the packages of one disk on another.
public struct PackageDifference: Sendable {
    public struct Entry: Codable, Hashable, Sendable {
        public enum Change: String, Codable, Sendable { case added, removed, changed }

        public var ecosystem: InstalledPackage.Ecosystem
        public var name: String
        public var architecture: String?
        public var change: Change
        /// Where there are several side by side, all of them, with commas.
        public var oldVersion: String?
        public var newVersion: String?

        public init(
            ecosystem: InstalledPackage.Ecosystem, name: String, architecture: String?, change: Change, oldVersion: String?, newVersion: String?
        ) {
            (self.ecosystem, self.name, self.architecture, self.change) = (ecosystem, name, architecture, change)
            (self.oldVersion, self.newVersion) = (oldVersion, newVersion)
        }
    }

    /// Sorted by ecosystem, name and architecture.
    public let entries: [Entry]

    private struct Key: Hashable {
        var ecosystem: InstalledPackage.Ecosystem
        var name: String
        var architecture: String?
    }

    public init(from old: PackageInventory, to new: PackageInventory) {
        let (before, after) = (Self.versions(old), Self.versions(new))
        entries = Set(before.keys).union(after.keys).compactMap { key -> Entry? in
            let (one, other) = (before[key], after[key])
            if one == other { return nil }
            let change: Entry.Change = one == nil ? .added : other == nil ? .removed : .changed
            return Entry(
                ecosystem: key.ecosystem, name: key.name, architecture: key.architecture, change: change, oldVersion: one?.joined(separator: ", "),
                newVersion: other?.joined(separator: ", "))
        }.sorted { a, b in
            (a.ecosystem.rawValue, a.name, a.architecture ?? "") < (b.ecosystem.rawValue, b.name, b.architecture ?? "")
        }
    }

    private static func versions(_ inventory: PackageInventory) -> [Key: [String]] {
        var versions: [Key: Set<String>] = [:]
        for package in inventory.packages {
            versions[Key(ecosystem: package.ecosystem, name: package.name, architecture: package.architecture), default: []].insert(package.version)
        }
        return versions.mapValues { $0.sorted() }
    }
}
