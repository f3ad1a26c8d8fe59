import Foundation

/// What a git repository on this host says of itself, read from its files: no git program, no hooks, no configuration.
public struct GitRepository: Sendable {
    /// The work tree (or a bare repository).
    public let root: String
    /// The repository's own folder; of a linked work tree, the one that holds its HEAD.
    public let folder: String
    private let common: String

    /// The repository whose work tree or bare folder is `root`; nil when there is none.
    public init?(at root: String) throws {
        self.root = HostPath.absolute(root)
        let dot = self.root + "/.git"
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: dot, isDirectory: &isFolder) {
            if isFolder.boolValue {
                folder = dot
            } else {
                // A linked work tree or a submodule: `.git` is a file that names the folder.
                let text = try Self.text(dot)
                guard text.hasPrefix("gitdir: ") else { return nil }
                folder = HostPath.join(self.root, String(text.dropFirst(8)))
            }
        } else if FileManager.default.fileExists(atPath: self.root + "/HEAD"),
            FileManager.default.fileExists(atPath: self.root + "/objects")
        {
            folder = self.root
        } else {
            return nil
        }
        let commonFile = folder + "/commondir"
        common =
            FileManager.default.fileExists(atPath: commonFile)
            ? HostPath.join(folder, try Self.text(commonFile)) : folder
        if FileManager.default.fileExists(atPath: common + "/reftable") {
            throw RecipeError(
                "unsupported", "\(self.root) keeps its refs in git's reftable format, which is not read yet",
                fix: "convert it with `git refs migrate --ref-format=files`")
        }
    }

    private static func text(_ path: String) throws -> String {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw RecipeError("unreadable", "cannot read \(path)", fix: "check its permissions")
        }
        return String(decoding: bytes, as: UTF8.self).trimmed
    }

    /// `refs/heads/main`; nil when HEAD is detached.
    public func headRef() throws -> String? {
        let head = try Self.text(folder + "/HEAD")
        return head.hasPrefix("ref: ") ? String(head.dropFirst(5)) : nil
    }

    /// The commit of HEAD; nil before the first one.
    public func head() throws -> String? {
        guard let ref = try headRef() else { return try Self.text(folder + "/HEAD") }
        return try refs()[ref]
    }

    /// Branches and tags with what they point to (a tag object, for annotated tags).
    public func refs() throws -> [String: String] {
        var refs: [String: String] = [:]
        let packed = common + "/packed-refs"
        if FileManager.default.fileExists(atPath: packed) {
            for line in try Self.text(packed).split(separator: "\n") where !line.hasPrefix("#") && !line.hasPrefix("^") {
                let parts = line.split(separator: " ", maxSplits: 1)
                if parts.count == 2 { refs[String(parts[1])] = String(parts[0]) }
            }
        }
        for kind in ["heads", "tags", "remotes"] {
            let top = common + "/refs/" + kind
            // A repository whose refs are all packed may have no folder for them.
            for file in FileManager.default.enumerator(atPath: top)?.compactMap({ $0 as? String }) ?? [] {
                var isFolder: ObjCBool = false
                let path = top + "/" + file
                guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
                    !file.hasSuffix(".lock")
                else { continue }
                let value = try Self.text(path)
                if !value.hasPrefix("ref: ") { refs["refs/\(kind)/\(file)"] = value }
            }
        }
        return refs
    }

    /// The object that `ref` (a branch, tag, commit or HEAD) names.
    public func resolve(_ ref: String) throws -> String {
        if ref == "HEAD", let head = try head() { return head }
        if Self.isCommit(ref) { return ref }
        let refs = try refs()
        for name in [ref, "refs/heads/\(ref)", "refs/tags/\(ref)", "refs/remotes/origin/\(ref)"] {
            if let commit = refs[name] { return commit }
        }
        let known = refs.keys.compactMap { name in
            ["refs/heads/", "refs/tags/"].first { name.hasPrefix($0) }.map { String(name.dropFirst($0.count)) }
        }.sorted()
        let near = Spelling.nearest(to: ref, among: known).map { "did you mean `\($0)`?" }
        throw RecipeError(
            "notFound", "the repository \(root) has no `\(ref)`", fix: near ?? "name a branch, a tag or a commit")
    }

    static func isCommit(_ text: String) -> Bool { text.wholeMatch(of: /[0-9a-f]{40}|[0-9a-f]{64}/) != nil }

    /// The commit that a recipe's repository is at: read beside the recipe, or asked of its server.
    ///
    /// A full commit as `ref` asks no one.
    public static func commit(of repository: Recipe.Repository, recipe: Recipe) throws -> String {
        if isCommit(repository.ref) { return repository.ref }
        guard repository.isLocal else { return try remoteCommit(repository) }
        let folder = HostPath.join(recipe.folder, repository.url)
        guard let git = try GitRepository(at: folder) else {
            throw RecipeError(
                "notARepository", "\(folder) is not a git repository", fix: "`git init` it, or correct the url")
        }
        return try git.resolve(repository.ref)
    }

    private static func remoteCommit(_ repository: Recipe.Repository) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let ref = repository.ref
        process.arguments = ["git", "ls-remote", "--", repository.url, ref, "\(ref)^{}"]
        process.environment = ProcessInfo.processInfo.environment.merging(["GIT_TERMINAL_PROMPT": "0"]) { $1 }
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let cause = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).trimmed
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw RecipeError(
                "unreachable", "cannot ask \(repository.url) for `\(ref)`", cause: cause,
                fix: "check the url and the network, or name a full commit as `ref`")
        }
        var found: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t")
            if parts.count == 2 { found[String(parts[1])] = String(parts[0]) }
        }
        let names = [ref, "refs/heads/\(ref)", "refs/tags/\(ref)^{}", "refs/tags/\(ref)"]
        guard let commit = names.lazy.compactMap({ found[$0] }).first else {
            throw RecipeError("notFound", "\(repository.url) has no `\(ref)`", fix: "name a branch, a tag or a commit")
        }
        return commit
    }
}
