/// What the index of a suite knows, and the table of common names where it knows nothing.
public struct IndexedPackages: PackageKnowledge {
    /// Nil where none could be had: the table alone is better than nothing.
    private let index: KnowledgeIndex?
    private let classifier: ContentsClassifier
    private let common = KnownPackages()

    /// Commands that no package has as a file: maintainers' scripts make them as alternatives. And those that need more than the package that has the file.
    private static let alternatives: [String: [String]] =
        YAMLTable.read(PackageResources.alternatives_yaml, "alternatives.yaml")["commands"]?.textsByKey ?? [:]
    private static let preferred = Set(YAMLTable.read(PackageResources.alternatives_yaml, "alternatives.yaml")["preferred"]?.texts.map(\.text) ?? [])
    /// What CMake's own Find modules look for: a file that the index then finds.
    private static let finders: [String: [String]] = YAMLTable.read(PackageResources.alternatives_yaml, "alternatives.yaml")["finders"]?.textsByKey ?? [:]

    /// - Parameter architecture: in Debian's words.
    public init(_ index: KnowledgeIndex?, architecture: String) { (self.index, classifier) = (index, ContentsClassifier(architecture: architecture)) }

    /// Packages that have exactly this, the best first.
    public func packages(_ key: KnowledgeKey) -> [String] {
        // An index that cannot be read knows nothing; opening it again makes it anew.
        let found = (try? index?.packages(key)) ?? []
        return found.filter(Self.preferred.contains) + found.filter { !Self.preferred.contains($0) }
    }

    public func packages(forHeader path: String) -> [String] {
        let key = KnowledgeKey.header(path)
        let exact = packages(key)
        if !exact.isEmpty { return exact }
        // As above.
        let deeper = (try? index?.keys(beginningWith: KnowledgeKey(.header, key.name + "/"), limit: 200)) ?? []
        var best: [String: (depth: Int, rank: UInt32)] = [:]
        for (key, owners) in deeper {
            let depth = key.name.split(separator: "/").count
            for owner in owners where (best[owner.name].map { depth < $0.depth } ?? true) { best[owner.name] = (depth, owner.rank) }
        }
        let found = best.sorted { ($0.value.rank, $0.value.depth, $0.key) < ($1.value.rank, $1.value.depth, $1.key) }.map(\.key)
        return found.isEmpty ? common.packages(forFile: path) : found
    }

    public func packages(forFile path: String) -> [String] {
        if path.hasPrefix("/") {
            let keys = Array(path.dropFirst().utf8).withUnsafeBytes { bytes in ContentsPath(bytes).map(classifier.keys) ?? [] }
            for key in keys {
                let found = key.kind == .command ? packages(forCommand: key.name) : packages(key)
                if !found.isEmpty { return found }
            }
            if keys.contains(where: { $0.kind == .header }) { return packages(forHeader: headerName(path)) }
            if path.hasPrefix("/usr/share/zoneinfo/") { return ["tzdata"] }
            return common.packages(forFile: path)
        }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        if name.hasPrefix("lib"), name.hasSuffix(".a") || name.contains(".so") { return fallingBack(.library, name, common.packages(forFile: path)) }
        if name.hasSuffix(".pc") { return packages(forPkgConfig: String(name.dropLast(3))) }
        return packages(forHeader: path)
    }

    private func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

    private func headerName(_ path: String) -> String {
        path.split(separator: "/").drop { ["usr", "local", "include", classifier.triplet].contains(String($0)) }.joined(separator: "/")
    }

    private func fallingBack(_ kind: KnowledgeKey.Kind, _ name: String, _ other: @autoclosure () -> [String]) -> [String] {
        let found = packages(KnowledgeKey(kind, name))
        return found.isEmpty ? other() : found
    }

    /// What `-lNAME` needs.
    public func packages(forLinked name: String) -> [String] {
        for file in ["lib\(name).so", "lib\(name).a"] {
            let found = packages(forFile: file)
            if !found.isEmpty { return found }
        }
        return []
    }

    public func packages(forPkgConfig name: String) -> [String] {
        fallingBack(.pkgConfig, name, fallingBack(.pkgConfig, name.lowercased(), common.packages(forPkgConfig: name)))
    }

    public func packages(forCMake name: String) -> [String] {
        let small = name.lowercased()
        if let hints = Self.finders[small] {
            for hint in hints {
                // A header, a library, or packages by name.
                let isHeader = hint.hasSuffix(".h") || hint.hasSuffix(".hpp")
                let found = isHeader ? packages(forHeader: hint) : hint.hasSuffix(".so") ? packages(forFile: hint) : words(hint)
                if !found.isEmpty { return found }
            }
        }
        let tries: [KnowledgeKey] = [
            KnowledgeKey(.cmake, small), KnowledgeKey(.pkgConfig, name), KnowledgeKey(.pkgConfig, small), KnowledgeKey(.pkgConfig, "lib" + small),
            KnowledgeKey(.library, "lib\(name).so"), KnowledgeKey(.library, "lib\(small).so"),
        ]
        // Some packages carry what finds another one, or a copy of it: one that is called so goes before them.
        let found = tries.map { packages($0) }.filter { !$0.isEmpty }
        if let first = found.first { return found.first { $0[0].contains(small) } ?? first }
        return fallingBack(.cmakeFinder, small, common.packages(forCMake: name))
    }

    public func packages(forCommand name: String) -> [String] {
        if let known = Self.alternatives[name] { return known }
        return fallingBack(.command, name, fallingBack(.program, name, common.packages(forCommand: name)))
    }

    public func packages(forPythonDistribution name: String) -> [String] { common.packages(forPythonDistribution: name) }

    public func distribution(forPythonImport module: String) -> String? {
        let root = module.split(separator: ".").first.map(String.init) ?? module
        return ImportNames.standardLibrary.contains(root) ? nil : ImportNames.distribution(of: module)
    }

    /// The distribution's package of a language's module.
    ///
    /// - Parameter language: as diagnosers name it: `perl`, `python`, `node`, …
    public func packages(forModule name: String, language: String) -> [String] {
        let keys: [KnowledgeKey] =
            switch language {
            case "python":
                [
                    KnowledgeKey(.python, name), KnowledgeKey(.python, String(name.prefix { $0 != "." })),
                    KnowledgeKey(.pythonDistribution, ImportNames.normalised(name)),
                ]
            case "python2": [KnowledgeKey(.python2, name), KnowledgeKey(.python2, String(name.prefix { $0 != "." }))]
            case "perl": [KnowledgeKey(.perl, name.replacing("/", with: "::"))]
            case "ruby": [KnowledgeKey(.gem, name), KnowledgeKey(.ruby, name), KnowledgeKey(.gem, name.replacing("/", with: "-"))]
            case "lua": [KnowledgeKey(.lua, name), KnowledgeKey(.lua, String(name.prefix { $0 != "." }))]
            case "tcl": [KnowledgeKey(.tcl, String(name.lowercased().prefix { !$0.isNumber }))]
            case "node": [KnowledgeKey(.node, name)]
            case "r": [KnowledgeKey(.r, name)]
            case "haskell": [KnowledgeKey(.haskell, name)]
            case "ocaml": [KnowledgeKey(.ocaml, name)]
            case "java": [KnowledgeKey(.maven, name), KnowledgeKey(.jar, String(name.split(separator: ":").last ?? ""))]
            case "rust": [KnowledgeKey(.crate, name), KnowledgeKey(.crate, name.replacing("_", with: "-"))]
            case "go": goPaths(name).map { KnowledgeKey(.go, $0) }
            case "php": [KnowledgeKey(.php, name)]
            case "erlang": [KnowledgeKey(.erlang, name)]
            case "gobject": [KnowledgeKey(.typelib, name)]
            case "vala": [KnowledgeKey(.vapi, name)]
            case "aclocal": [KnowledgeKey(.aclocal, name.lowercased())]
            default: []
            }
        for key in keys {
            let found = packages(key)
            if !found.isEmpty { return found }
        }
        return []
    }

    /// The package that is imported, then those above it: a module's root may hold no files.
    private func goPaths(_ path: String) -> [String] {
        let names = path.split(separator: "/")
        return stride(from: names.count, to: 1, by: -1).map { names.prefix($0).joined(separator: "/") }
    }
}
