import Glibc
import Linux
import Recipes

/// Lists a repository's files within limits.
struct RepositoryWalk {
    /// Other people's code, and what tools make: it says nothing of what this repository needs.
    private static let skipped: Set = [
        ".git", ".hg", ".svn", "node_modules", "bower_components", "vendor", "third_party", "thirdparty", "3rdparty", ".venv", "venv", ".tox", ".nox",
        "__pycache__", ".mypy_cache", ".pytest_cache", ".eggs", "_build", "deps", ".stack-work", "dist-newstyle", ".gradle", ".bundle", "Pods", ".build",
        ".cache", ".direnv", ".idea",
    ]
    /// Skipped only where their neighbours are the sources that they are made from.
    private static let made: [String: Set<String>] = ["target": ["Cargo.toml", "pom.xml"], "build": ["build.gradle", "build.gradle.kts", "settings.gradle"]]
    /// Lines of ignore files, over all: each is compared with each file.
    private static let ruleLimit = 1000

    let folder: RootedFolder
    let limits: Repository.Limits
    private(set) var files: [Repository.File] = []
    private(set) var notes: [Note] = []
    private var rules = 0
    private var isFull = false
    private var looked = 0

    init(folder: RootedFolder, limits: Repository.Limits) { (self.folder, self.limits) = (folder, limits) }

    mutating func run() throws {
        do { try walk("", [], IgnoreRules()) } catch {
            throw AutoinstallError("unreadable", "cannot list the repository", cause: "\(error)", fix: "make it readable")
        }
        files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private mutating func walk(_ path: String, _ names: [[UInt8]], _ above: IgnoreRules) throws {
        var ignored = above
        let entries = try folder.list(path.isEmpty ? "." : path)
        if entries.contains(".gitignore") { add(path, names.count, to: &ignored) }
        let all = Set(entries)
        var folders: [String] = []
        for name in entries {
            // Links and names count too: a folder with a million of them takes no longer.
            looked += 1
            if files.count >= limits.files || looked > 4 * limits.files { return fill() }
            let inside = path.isEmpty ? name : "\(path)/\(name)"
            guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), let status = try folder.attributes(inside) else { continue }
            let kind = status.st_mode & S_IFMT
            if kind == S_IFDIR, Self.skipped.contains(name) || Self.made[name].map({ !$0.isDisjoint(with: all) }) == true { continue }
            if ignored.ignores(names + [Array(name.utf8)], isFolder: kind == S_IFDIR) { continue }
            if kind == S_IFDIR {
                folders.append(name)
            } else if kind == S_IFREG {
                files.append(Repository.File(path: inside, size: Int(status.st_size), isExecutable: status.st_mode & 0o111 != 0))
            }
        }
        // What lies higher says more, so it goes first where there is too much.
        for name in folders {
            if isFull { return }
            let inside = path.isEmpty ? name : "\(path)/\(name)"
            if names.count + 1 > limits.depth {
                notes.append(Note("more than \(limits.depth) folders deep: not looked at", Evidence(file: inside)))
                return
            }
            do { try walk(inside, names + [Array(name.utf8)], ignored) } catch let error as LinuxError {
                notes.append(Note("not looked at: \(error)", Evidence(file: inside)))
            }
        }
    }

    private mutating func fill() {
        if !isFull { notes.append(Note("more than \(limits.files) files: the rest was not looked at")) }
        isFull = true
    }

    private mutating func add(_ path: String, _ depth: Int, to ignored: inout IgnoreRules) {
        let file = path.isEmpty ? ".gitignore" : "\(path)/.gitignore"
        // One that cannot be read leaves nothing out.
        guard let bytes = try? folder.read(file, limit: 1 << 16) else { return }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).prefix(max(0, Self.ruleLimit - rules))
        rules += lines.count
        // `**` many times over takes long to compare; nobody means it.
        ignored.add(lines.filter { $0.utf8.count < 200 && $0.split(separator: "**").count < 5 }.joined(separator: "\n"), depth: depth)
    }
}
