import Foundation
import Linux
import Recipes

/// Makes a fresh git repository from another one: history and refs, no hooks, no configuration, no credentials.
///
/// The source's objects are read by `git pack-objects`; nothing that its configuration names is run, and nothing of it is copied.
struct CleanClone {
    /// Where HEAD points in the new repository.
    enum Head: Equatable {
        case branch(String)
        case commit(String)
    }

    /// Makes `target/.git`.
    ///
    /// - Parameters:
    ///   - source: a repository's folder on this host (`.git`, or a bare one).
    ///   - refs: what the new one has, by full name; only their history is taken.
    ///   - shallow: the commits whose parents the source does not have.
    ///   - isPartial: where git in the machine gets what the source does not have; nil: the source has everything.
    ///   - checkOut: whether the files of HEAD are written too; the index has them either way.
    static func make(
        from source: String, refs: [String: String], head: Head, shallow: [String] = [], isPartial promisor: String? = nil, at target: String, checkOut: Bool
    ) throws {
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        let git = target + "/.git"
        let commits = Set(refs.values).union(headCommit(head, refs)).sorted()
        let format = commits.first?.count == 64 ? "sha256" : "sha1"
        try run(["init", "--quiet", "--template=", "--object-format=\(format)", target], purpose: "make a git repository")
        if !commits.isEmpty {
            if !shallow.isEmpty { try write(shallow.joined(separator: "\n") + "\n", git + "/shallow") }
            // From one program to the other through a file: a pipe would hide the first one's failure.
            let pack = git + "/clone.pack"
            try run(
                ["--git-dir=\(source)", "pack-objects", "--revs", "--stdout", "--delta-base-offset", "--quiet"]
                    + (promisor == nil ? [] : ["--missing=allow-any"]),
                input: commits.joined(separator: "\n") + "\n", output: pack, purpose: "read the history of \(source)")
            if let promisor {
                for (name, value) in [
                    ("core.repositoryformatversion", "1"), ("extensions.partialclone", "origin"), ("remote.origin.url", promisor),
                    ("remote.origin.promisor", "true"),
                    ("remote.origin.partialclonefilter", "blob:none"),
                ] { try run(["--git-dir=\(git)", "config", name, value], purpose: "set up a partial clone") }
            }
            try run(
                ["--git-dir=\(git)", "index-pack", "--stdin"] + (promisor == nil ? [] : ["--promisor"]), inputFile: pack,
                purpose: "copy the history of \(source)")
            try FileManager.default.removeItem(atPath: pack)
        }
        let lines = refs.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { "\($0.value) \($0.key)\n" }
        try write("# pack-refs with: sorted \n" + lines.joined(), git + "/packed-refs")
        switch head {
        case .branch(let name): try write("ref: \(name)\n", git + "/HEAD")
        case .commit(let commit): try write(commit + "\n", git + "/HEAD")
        }
        if headCommit(head, refs).isEmpty { return }
        try run(["--git-dir=\(git)", "--work-tree=\(target)", "read-tree", "HEAD"], purpose: "read the files of \(source)")
        if checkOut {
            try run(
                ["--git-dir=\(git)", "--work-tree=\(target)", "checkout-index", "--all", "--quiet", "--force"], purpose: "check out the files of \(source)")
            try renewIndex(at: target)
        }
    }

    /// The index holds this host's inode numbers and times: without them git looks again, once.
    static func renewIndex(at target: String) throws {
        try FileManager.default.removeItem(atPath: target + "/.git/index")
        try run(["--git-dir=\(target)/.git", "--work-tree=\(target)", "read-tree", "HEAD"], purpose: "read the files of \(target)")
    }

    /// Fetches one commit of a server's repository, with its history, to a bare repository at `folder`.
    ///
    /// The host's own git configuration counts here: proxies, certificate authorities, credential helpers.
    static func fetch(_ url: String, ref: String, commit: String, options: [String] = [], to folder: String) throws {
        try HostTool.run(
            "git", ["init", "--quiet", "--bare", "--template=", folder], environment: environment(isolated: false), purpose: "make a git repository")
        // Some servers give a commit only by the ref that names it.
        let wanted = ref.count >= 40 ? [commit] : [ref, commit]
        var last: BuildError?
        for name in wanted {
            do {
                try HostTool.run(
                    "git", ["--git-dir=\(folder)", "fetch", "--quiet", "--no-tags"] + options + ["--", url, name], environment: environment(isolated: false),
                    purpose: "fetch \(name) of \(url)")
                last = nil
                if try has(commit, folder) { return }
                // The ref has moved since the plan was made; the commit itself may still be had.
            } catch let error as BuildError {
                last = error
            }
        }
        throw last ?? BuildError("notFound", "\(url) has no commit \(commit) any more", fix: "correct `ref`")
    }

    static func has(_ commit: String, _ folder: String) throws -> Bool {
        var command = Command("git", ["--git-dir=\(folder)", "cat-file", "-e", commit])
        command.environment = environment(isolated: true)
        return try command.capture().status == .exited(0)
    }

    private static func headCommit(_ head: Head, _ refs: [String: String]) -> [String] {
        switch head {
        case .branch(let name): refs[name].map { [$0] } ?? []
        case .commit(let commit): [commit]
        }
    }

    private static func write(_ text: String, _ path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

    /// - Parameter isolated: whether only the repository's own configuration counts, and whose it is does not.
    static func environment(isolated: Bool) -> [String] {
        // A build may run in a hook of another repository, which these would name.
        let others = [
            "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_NAMESPACE",
        ]
        var values = ProcessInfo.processInfo.environment.filter { !(isolated ? $0.key.hasPrefix("GIT_") : others.contains($0.key)) }
        values["GIT_TERMINAL_PROMPT"] = "0"
        values["LC_ALL"] = "C"
        if isolated {
            values["GIT_CONFIG_NOSYSTEM"] = "1"
            values["GIT_CONFIG_GLOBAL"] = "/dev/null"
            values["GIT_NO_LAZY_FETCH"] = "1"
            values["GIT_NO_REPLACE_OBJECTS"] = "1"
            // The owner of a repository is often not root, who builds; and one thread gives the same pack twice.
            let settings = ["safe.directory": "*", "core.hooksPath": "/dev/null", "core.fsmonitor": "false", "pack.threads": "1", "core.autocrlf": "false"]
            values["GIT_CONFIG_COUNT"] = String(settings.count)
            for (index, setting) in settings.sorted(by: { $0.key < $1.key }).enumerated() {
                values["GIT_CONFIG_KEY_\(index)"] = setting.key
                values["GIT_CONFIG_VALUE_\(index)"] = setting.value
            }
        }
        return values.map { "\($0.key)=\($0.value)" }
    }

    private static func run(_ arguments: [String], input: String = "", inputFile: String? = nil, output: String? = nil, purpose: String) throws {
        if inputFile == nil, output == nil {
            try HostTool.run("git", arguments, environment: environment(isolated: true), input: input, purpose: purpose)
            return
        }
        // Packs are too large to be kept in memory on their way.
        let script = "exec git \"$@\" < \"${TERRINE_INPUT:-/dev/stdin}\" > \"${TERRINE_OUTPUT:-/dev/stdout}\""
        var environment = environment(isolated: true)
        if let inputFile { environment.append("TERRINE_INPUT=\(inputFile)") }
        if let output { environment.append("TERRINE_OUTPUT=\(output)") }
        try HostTool.run("sh", ["-c", script, "git"] + arguments, environment: environment, input: input, purpose: purpose)
    }
}
