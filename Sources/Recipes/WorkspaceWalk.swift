import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Lists a folder's files, in order, honouring ignore files on the way down.
struct WorkspaceWalk {
    let root: String
    let honoursIgnoreFiles: Bool

    /// Files and links below the root, sorted by the bytes of their paths.
    func files() throws -> [WorkspaceFile] {
        var out: [WorkspaceFile] = []
        var rules = IgnoreRules()
        var above: [[UInt8]] = []
        if honoursIgnoreFiles { (rules, above) = try rulesAbove() }
        try walk("", above, rules, &out)
        return out.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    /// The rules of the folders above, up to the git repository that this is part of.
    private func rulesAbove() throws -> (IgnoreRules, [[UInt8]]) {
        var top = root
        while !FileManager.default.fileExists(atPath: top + "/.git") {
            if top == "/" { return (IgnoreRules(), []) }
            top = HostPath.parent(top)
        }
        var rules = IgnoreRules()
        let names = root.dropFirst(top == "/" ? 0 : top.count).split(separator: "/")
        var folder = top
        for (depth, name) in names.enumerated() {
            try load(folder, depth, &rules)
            folder += "/" + name
        }
        return (rules, names.map { Array($0.utf8) })
    }

    private func load(_ folder: String, _ depth: Int, _ rules: inout IgnoreRules) throws {
        for name in [".gitignore", ".terrineignore"] {
            let path = folder + "/" + name
            guard FileManager.default.fileExists(atPath: path) else { continue }
            guard let bytes = FileManager.default.contents(atPath: path) else {
                throw RecipeError("unreadable", "cannot read \(path)", fix: "check its permissions")
            }
            rules.add(String(decoding: bytes, as: UTF8.self), depth: depth)
        }
    }

    private func walk(_ path: String, _ names: [[UInt8]], _ above: IgnoreRules, _ out: inout [WorkspaceFile]) throws {
        let folder = path.isEmpty ? root : root + "/" + path
        var rules = above
        let entries = try list(folder)
        if honoursIgnoreFiles, entries.contains(".gitignore") || entries.contains(".terrineignore") {
            try load(folder, names.count, &rules)
        }
        for name in entries where name != ".git" {
            let inside = path.isEmpty ? name : path + "/" + name
            var status = stat()
            guard lstat(folder + "/" + name, &status) == 0 else {
                // Gone between listing and looking: a file that another process removed is no file of ours.
                if errno == ENOENT { continue }
                throw Self.failure("look at", folder + "/" + name)
            }
            let kind = status.st_mode & S_IFMT
            let below = names + [Array(name.utf8)]
            if rules.ignores(below, isFolder: kind == S_IFDIR) { continue }
            switch kind {
            case S_IFDIR: try walk(inside, below, rules, &out)
            case S_IFREG:
                let mode: UInt32 = status.st_mode & 0o100 != 0 ? 0o755 : 0o644
                out.append(WorkspaceFile(path: inside, kind: .file, mode: mode, size: Int64(status.st_size)))
            case S_IFLNK:
                out.append(WorkspaceFile(path: inside, kind: .link, mode: 0o777, size: Int64(status.st_size)))
            default: continue
            }
        }
    }

    private func list(_ folder: String) throws -> Set<String> {
        guard let stream = opendir(folder) else { throw Self.failure("list", folder) }
        defer { closedir(stream) }
        var names: Set<String> = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
            }
            guard let name else {
                throw RecipeError(
                    "badName", "a file in \(folder) has a name that is not UTF-8", fix: "rename or ignore it")
            }
            if name != ".", name != ".." { names.insert(name) }
            errno = 0
        }
        if errno != 0 { throw Self.failure("list", folder) }
        return names
    }

    static func failure(_ verb: String, _ path: String) -> RecipeError {
        RecipeError(
            "unreadable", "cannot \(verb) \(path)", cause: String(cString: strerror(errno)),
            fix: "make it readable, or add it to .terrineignore")
    }
}
