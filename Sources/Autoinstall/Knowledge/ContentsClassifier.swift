/// Which keys of the index a file of a Debian package answers to, by its path alone.
struct ContentsClassifier {
    /// `x86_64-linux-gnu`: libraries of other architectures do not count.
    let triplet: String

    private static let triplets = [
        "amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf", "i386": "i386-linux-gnu",
        "ppc64el": "powerpc64le-linux-gnu", "riscv64": "riscv64-linux-gnu", "s390x": "s390x-linux-gnu",
    ]

    /// - Parameter architecture: in Debian's words.
    init(architecture: String) { triplet = Self.triplets[architecture] ?? "\(architecture)-linux-gnu" }

    func keys(of path: ContentsPath) -> [KnowledgeKey] {
        if path.isPart(0, "usr") {
            if path.isPart(1, "bin") || path.isPart(1, "sbin") || path.isPart(1, "games") { return path.count == 3 ? [KnowledgeKey(.command, path.last)] : [] }
            if path.isPart(1, "include") { return header(path) }
            if path.isPart(1, "lib") { return library(path, 2) }
            if path.isPart(1, "libexec") { return [KnowledgeKey(.program, path.last)] }
            if path.isPart(1, "share") { return shared(path) }
            return []
        }
        if path.isPart(0, "bin") || path.isPart(0, "sbin") { return path.count == 2 ? [KnowledgeKey(.command, path.last)] : [] }
        if path.isPart(0, "lib") { return library(path, 1) }
        if path.isPart(0, "etc"), path.count <= 4 { return [KnowledgeKey(.file, "/" + path.names(from: 0).joined(separator: "/"))] }
        if path.isPart(0, "var"), path.isPart(3, "package.conf.d") { return haskell(path) }
        return []
    }

    private func header(_ path: ContentsPath) -> [KnowledgeKey] {
        // What belongs to one architecture is found without that folder.
        let names = path.names(from: path[2] == triplet ? 3 : 2)
        return names.isEmpty ? [] : [.header(names.joined(separator: "/"))]
    }

    // MARK: Below lib

    private func library(_ path: ContentsPath, _ start: Int) -> [KnowledgeKey] {
        let isOwn = path[start] == triplet
        let at = isOwn ? start + 1 : start
        let left = path.count - at
        if left == 1 {
            guard path.begins(at, "lib") || path.begins(at, "ld-") else { return [] }
            let name = path.last
            return name.hasSuffix(".a") || name.contains(".so") ? [KnowledgeKey(.library, name)] : []
        }
        if path.isPart(at, "pkgconfig") { return pkgConfig(path) }
        if path.ends(".cmake") { return cmake(path) }
        if path.isPart(at, "perl5") || path.isPart(at, "perl") { return perl(path, at + 2) }
        if path.isPart(at, "perl-base") { return perl(path, at + 1) }
        if path.begins(at, "python") { return python(path, at) }
        if path.isPart(at, "ruby") { return ruby(path, at) }
        if path.isPart(at, "lua") { return lua(path, at + 2) }
        if path.ends("/pkgIndex.tcl") { return tcl(path) }
        if path.isPart(at, "nodejs") { return node(path, at + 1) }
        if path.isPart(at, "R"), path.ends("/DESCRIPTION"), left == 4 { return [KnowledgeKey(.r, path[at + 2])] }
        if path.isPart(at, "ocaml"), path.ends("/META") { return [KnowledgeKey(.ocaml, path.names(from: at + 1, dropping: 1).joined(separator: "."))] }
        if path.isPart(at, "php"), left == 3, path.ends(".so") { return [KnowledgeKey(.php, String(path.last.dropLast(3)))] }
        if path.isPart(at, "girepository-1.0"), path.ends(".typelib") { return [KnowledgeKey(.typelib, String(path.last.dropLast(8)))] }
        if path.isPart(at, "erlang"), path.ends(".app") { return [KnowledgeKey(.erlang, String(path.last.dropLast(4)))] }
        if path.begins(at, "ghc"), path.ends(".conf"), path.isPart(path.count - 2, "package.conf.d") { return haskell(path) }
        if left >= 3, path.isPart(path.count - 2, "bin") { return [KnowledgeKey(.program, path.last)] }
        return []
    }

    private func pkgConfig(_ path: ContentsPath) -> [KnowledgeKey] { path.ends(".pc") ? [KnowledgeKey(.pkgConfig, String(path.last.dropLast(3)))] : [] }

    private func cmake(_ path: ContentsPath) -> [KnowledgeKey] {
        let name = path.last
        if name.hasSuffix("Config.cmake") { return [KnowledgeKey(.cmake, name.dropLast(12).lowercased())] }
        if name.hasSuffix("-config.cmake") { return [KnowledgeKey(.cmake, name.dropLast(13).lowercased())] }
        // Those of CMake's own look for what is in other packages.
        if name.hasPrefix("Find"), !path.begins(2, "cmake-") { return [KnowledgeKey(.cmakeFinder, name.dropFirst(4).dropLast(6).lowercased())] }
        return []
    }

    private func perl(_ path: ContentsPath, _ at: Int) -> [KnowledgeKey] {
        guard path.ends(".pm") else { return [] }
        // In /usr/lib/ARCH/perl5/5.36 and /usr/share/perl/5.36.0, but /usr/share/perl5.
        let start = path[at - 1].first?.isNumber == true || path.isPart(at - 1, "perl-base") ? at : at - 1
        let names = path.names(from: start)
        return names.isEmpty ? [] : [KnowledgeKey(.perl, String(names.joined(separator: "::").dropLast(3)))]
    }

    private func python(_ path: ContentsPath, _ at: Int) -> [KnowledgeKey] {
        let kind = path.begins(at, "python2") ? KnowledgeKey.Kind.python2 : .python
        let isApart = path.isPart(at + 1, "dist-packages") || path.isPart(at + 1, "lib-dynload")
        let names = path.names(from: isApart ? at + 2 : at + 1)
        guard let first = names.first, names.count <= 3 else { return [] }
        if first.hasSuffix(".egg-info") || first.hasSuffix(".dist-info") {
            guard kind == .python, names.count == 1 || names.last == "METADATA" || names.last == "PKG-INFO" else { return [] }
            let distribution = first.prefix { $0 != "-" }.dropLast(first.contains("-") ? 0 : 9)
            return [KnowledgeKey(.pythonDistribution, ImportNames.normalised(String(distribution)))]
        }
        if names.count == 1 {
            let module = first.prefix { $0 != "." }
            return first.hasSuffix(".py") || first.hasSuffix(".so") ? [KnowledgeKey(kind, String(module))] : []
        }
        return names.last == "__init__.py" ? [KnowledgeKey(kind, names.dropLast().joined(separator: "."))] : []
    }

    private func ruby(_ path: ContentsPath, _ at: Int) -> [KnowledgeKey] {
        if path.ends(".gemspec") { return gem(path) }
        guard path.isPart(at + 1, "vendor_ruby") else { return [] }
        if path.ends(".rb") { return required(path.names(from: at + 2), 3) }
        // Compiled ones are below the version.
        return path.ends(".so") ? required(path.names(from: at + 3), 3) : []
    }

    private func required(_ names: [String], _ depth: Int) -> [KnowledgeKey] {
        names.isEmpty || names.count > depth ? [] : [KnowledgeKey(.ruby, String(names.joined(separator: "/").dropLast(3)))]
    }

    private func gem(_ path: ContentsPath) -> [KnowledgeKey] {
        guard (2...3).contains(where: { path.isPart(path.count - $0, "specifications") }) else { return [] }
        return [KnowledgeKey(.gem, Self.unversioned(String(path.last.dropLast(8))))]
    }

    private func lua(_ path: ContentsPath, _ at: Int) -> [KnowledgeKey] {
        var names = path.names(from: at)
        guard names.count <= 4, let last = names.popLast(), last.hasSuffix(".lua") || last.hasSuffix(".so") else { return [] }
        let module = last.prefix { $0 != "." }
        if module != "init" || names.isEmpty { names.append(String(module)) }
        return [KnowledgeKey(.lua, names.joined(separator: "."))]
    }

    private func tcl(_ path: ContentsPath) -> [KnowledgeKey] {
        let folder = path[path.count - 2]
        let name = folder.prefix { !$0.isNumber }
        return name.isEmpty ? [] : [KnowledgeKey(.tcl, name.lowercased())]
    }

    private func haskell(_ path: ContentsPath) -> [KnowledgeKey] {
        path.ends(".conf") ? [KnowledgeKey(.haskell, Self.unversioned(String(path.last.dropLast(5))))] : []
    }

    private func node(_ path: ContentsPath, _ at: Int) -> [KnowledgeKey] {
        let names = path.names(from: at)
        if names.count == 1, path.ends(".js") { return [KnowledgeKey(.node, String(path.last.dropLast(3)))] }
        guard names.last == "package.json" else { return [] }
        if names.count == 2 || names.count == 3 && names[0].hasPrefix("@") { return [KnowledgeKey(.node, names.dropLast().joined(separator: "/"))] }
        return []
    }

    // MARK: Below share

    private func shared(_ path: ContentsPath) -> [KnowledgeKey] {
        if path.isPart(2, "pkgconfig") { return pkgConfig(path) }
        if path.ends(".cmake") { return cmake(path) }
        if path.isPart(2, "perl5") || path.isPart(2, "perl") { return perl(path, 4) }
        if path.isPart(2, "nodejs") { return node(path, 3) }
        if path.isPart(2, "lua") { return lua(path, 4) }
        if path.isPart(2, "aclocal"), path.ends(".m4") { return [KnowledgeKey(.aclocal, path.last.dropLast(3).lowercased())] }
        if path.isPart(2, "maven-repo"), path.ends(".pom"), path.count > 6 {
            return [KnowledgeKey(.maven, path.names(from: 3, dropping: 3).joined(separator: ".") + ":" + path[path.count - 3])]
        }
        if path.isPart(2, "java"), path.ends(".jar") { return [KnowledgeKey(.jar, Self.unversioned(String(path.last.dropLast(4))))] }
        if path.isPart(2, "cargo"), path.ends("/Cargo.toml"), path.count == 6 { return [KnowledgeKey(.crate, Self.unversioned(path[4]))] }
        if path.isPart(2, "gocode"), path.ends(".go") { return [KnowledgeKey(.go, path.names(from: 4, dropping: 1).joined(separator: "/"))] }
        if path.isPart(2, "rubygems-integration") {
            if path.ends(".gemspec") { return gem(path) }
            if path.isPart(4, "gems"), path.isPart(6, "lib"), path.ends(".rb") { return required(path.names(from: 7), 2) }
        }
        if path.ends("/pkgIndex.tcl") { return tcl(path) }
        if path.ends(".vapi") { return [KnowledgeKey(.vapi, String(path.last.dropLast(5)))] }
        // An extension of PostgreSQL's is asked for by this file.
        if path.isPart(2, "postgresql"), path.ends(".control") { return [KnowledgeKey(.file, "/" + path.names(from: 0).joined(separator: "/"))] }
        if path.isPart(2, "dict") || path.isPart(2, "misc") { return [KnowledgeKey(.file, "/" + path.names(from: 0).joined(separator: "/"))] }
        return []
    }

    /// `activejob` of `activejob-6.1.7`.
    static func unversioned(_ name: String) -> String {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard let version = parts.dropFirst().firstIndex(where: { $0.first?.isNumber == true }) else { return name }
        return parts[..<version].joined(separator: "-")
    }
}
