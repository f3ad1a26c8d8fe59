/// What dpkg has installed: `/var/lib/dpkg/status`, or the small files of `status.d` that images without dpkg have.
///
/// Source: dpkg(1), "status"; Debian Policy, chapter 5 and 7.
enum DebianStatus {
    private static let names: Set = [
        "package", "status", "version", "architecture", "source", "maintainer", "homepage", "depends", "pre-depends", "provides",
    ]

    /// The packages that are installed; those that were removed and left their configuration are not.
    static func packages(_ bytes: [UInt8], path: String) -> [InstalledPackage] {
        ControlParagraph.read(bytes, only: names).compactMap { paragraph in
            guard let name = paragraph["package"], let version = paragraph["version"], !name.isEmpty, !version.isEmpty else { return nil }
            // `want flag state`; a file of status.d has no such field.
            if let status = paragraph["status"], !status.hasSuffix(" installed") { return nil }
            var package = InstalledPackage(.debian, name: name, version: version, path: path)
            package.architecture = paragraph["architecture"]
            package.source = paragraph["source"].flatMap { source($0, of: package) }
            package.maintainer = paragraph["maintainer"]
            package.homepage = paragraph["homepage"]
            package.dependencies = [paragraph["pre-depends"], paragraph["depends"]].compactMap { $0 }.flatMap(relations)
            package.provides = paragraph["provides"].map { relations($0).flatMap { $0 } } ?? []
            return package
        }
    }

    /// `glibc` or `gcc-12 (12.2.0-14)`; nil when it is the package itself.
    private static func source(_ text: String, of package: InstalledPackage) -> InstalledPackage.Source? {
        let parts = text.split(separator: "(", maxSplits: 1).map(\.trimmed)
        guard let name = parts.first, !name.isEmpty else { return nil }
        let version = parts.count > 1 ? String(parts[1].prefix { $0 != ")" }) : package.version
        return name == package.name && version == package.version ? nil : .init(name: name, version: version)
    }

    /// `a (>= 1), b:any | c` as `[[a], [b, c]]`.
    private static func relations(_ text: String) -> [[String]] {
        text.split(separator: ",").map { group in
            group.split(separator: "|").compactMap { one in
                let name = one.trimmed.prefix { !$0.isWhitespace && $0 != "(" && $0 != ":" && $0 != "[" }
                return name.isEmpty ? nil : String(name)
            }
        }.filter { !$0.isEmpty }
    }
}
