/// All that is installed on a disk, as far as the disk itself says it.
///
/// Found by the files that managers leave: dpkg's status, `*.dist-info`, `node_modules`, `Cargo.lock`, what is built into programs of Go, and `.git`. What a Debian
/// package brought is told once, as that package, not again as the Python distribution or the program that it holds.
public struct PackageInventory: Sendable {
    /// Sorted by ecosystem, name, version and path.
    public let packages: [InstalledPackage]
    /// Sorted by path.
    public let checkouts: [SourceCheckout]
    public let system: SystemRelease?
    /// Files that should have told something and could not be understood, with why.
    public let notes: [String]

    public init(_ tree: FileTree) throws {
        let survey = Survey(tree)
        try survey.run()
        packages = survey.packages.sorted { a, b in
            (a.ecosystem.rawValue, a.name, a.version, a.path) < (b.ecosystem.rawValue, b.name, b.version, b.path)
        }
        checkouts = survey.checkouts.sorted { $0.path < $1.path }
        system = try (tree.node(following: "etc/os-release") ?? tree.node(following: "usr/lib/os-release"))?.content.flatMap { SystemRelease(try $0.bytes()) }
        notes = survey.notes
    }

    /// A Python distribution's name in the one spelling that all others are compared by.
    public static func normalPythonName(_ name: String) -> String { PythonMetadata.normal(name) }
}

/// One walk over a disk's files.
private final class Survey {
    private let tree: FileTree
    var packages: [InstalledPackage] = []
    var checkouts: [SourceCheckout] = []
    var notes: [String] = []
    /// Files that tell of packages, unless they are a Debian package's own.
    private var candidates: [(kind: Kind, path: String, content: any FileContent)] = []

    private enum Kind { case python, node, cargo, program }

    init(_ tree: FileTree) { self.tree = tree }

    func run() throws {
        try debian()
        var found: [(Kind, String, any FileContent)] = []
        var clones: [(String, FileFolder)] = []
        tree.search { path, node in
            let components = path.components
            guard let name = components.last else { return true }
            if let folder = node.folder {
                if name == ".git" { clones.append((text(components.dropLast()), folder)) }
                // File systems of the kernel; and crates' own lock files, which say what they were tested with.
                if components.count == 1, ["proc", "sys", "dev"].contains(name) { return false }
                return name != ".git" && !(name == "src" && components.dropLast().last == "registry")
            }
            if let content = node.content, let kind = kind(name, components, node, content) { found.append((kind, text(components[...]), content)) }
            return true
        }
        for (path, folder) in clones {
            try understood(path + "/.git") { if let checkout = try SourceCheckout(at: path, git: folder) { checkouts.append(checkout) } }
        }
        candidates = found.map { (kind: $0.0, path: $0.1, content: $0.2) }
        let owned = try ownedByDebian(Set(candidates.map(\.path)))
        for candidate in candidates where !owned.contains(candidate.path) {
            try understood(candidate.path) { packages += try read(candidate.kind, candidate.content, candidate.path) }
        }
    }

    private func text(_ components: ArraySlice<ByteString>) -> String { components.map(\.description).joined(separator: "/") }

    private func kind(_ name: ByteString, _ components: [ByteString], _ node: FileNode, _ content: any FileContent) -> Kind? {
        func parent(_ back: Int) -> String { components.count > back ? components[components.count - 1 - back].description : "" }
        switch name {
        case "METADATA": return parent(1).hasSuffix(".dist-info") ? .python : nil
        case "PKG-INFO": return parent(1).hasSuffix(".egg-info") && parent(1) != ".egg-info" ? .python : nil
        case "package.json":
            let isModule = parent(2) == "node_modules" || (parent(3) == "node_modules" && parent(2).hasPrefix("@"))
            return isModule && !parent(1).hasPrefix("@") ? .node : nil
        case "Cargo.lock": return .cargo
        default:
            if name.description.hasSuffix(".egg-info") { return .python }
            // The smallest program of Go has more than a mebibyte.
            return node.mode & 0o111 != 0 && content.size > 1 << 20 ? .program : nil
        }
    }

    private func read(_ kind: Kind, _ content: any FileContent, _ path: String) throws -> [InstalledPackage] {
        switch kind {
        case .python: [PythonMetadata.package(try content.bytes(limit: 4 << 20), path: path)].compactMap { $0 }
        case .node: [NodePackage.package(try content.bytes(limit: 4 << 20), path: path)].compactMap { $0 }
        case .cargo: CargoLock.packages(try content.bytes(limit: 16 << 20), path: path)
        case .program: try GoBuildInfo.packages(content, path: path)
        }
    }

    /// A file that is too large for what it should be is noted; one that cannot be read ends it all.
    private func understood(_ path: String, _ body: () throws -> Void) throws {
        do { try body() } catch let error as TreeError where error.code == "tooLarge" { notes.append("\(path): \(error.message)") }
    }

    // MARK: Debian

    private func debian() throws {
        var files = ["var/lib/dpkg/status"]
        if let folder = tree.node(following: "var/lib/dpkg/status.d")?.folder {
            files += folder.sorted.map(\.name.description).filter { !$0.hasSuffix(".md5sums") }.map { "var/lib/dpkg/status.d/" + $0 }
        }
        for path in files {
            guard let content = tree.node(following: ByteString(path))?.content else { continue }
            var found = DebianStatus.packages(try content.bytes(limit: 256 << 20), path: path)
            for index in found.indices { found[index].licenses = try licenses(of: found[index].name) }
            packages += found
        }
    }

    private func licenses(of package: String) throws -> [DeclaredLicense] {
        let path = "usr/share/doc/\(package)/copyright"
        guard let content = tree.node(following: ByteString(path))?.content else { return [] }
        var licenses: [DeclaredLicense] = []
        try understood(path) { licenses = DebianCopyright.licenses(try content.bytes(limit: 16 << 20)) }
        return licenses
    }

    /// Those of `paths` that dpkg has put there.
    private func ownedByDebian(_ paths: Set<String>) throws -> Set<String> {
        guard !paths.isEmpty, let folder = tree.node(following: "var/lib/dpkg/info")?.folder else { return [] }
        // Packages of before the merge of /lib into /usr/lib name their files as they were then.
        let merged = Dictionary(paths.filter { $0.hasPrefix("usr/") }.map { (String($0.dropFirst(4)), $0) }) { first, _ in first }
        var owned: Set<String> = []
        for (name, node) in folder.sorted where name.description.hasSuffix(".list") {
            guard let content = node.content else { continue }
            for line in try content.bytes(limit: 64 << 20).split(separator: 0x0A) {
                let path = String(decoding: line.dropFirst(), as: UTF8.self)
                if paths.contains(path) { owned.insert(path) } else if let path = merged[path] { owned.insert(path) }
            }
        }
        return owned
    }
}
