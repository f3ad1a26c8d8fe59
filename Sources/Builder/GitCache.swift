import ChunkStore
import Foundation
import Linux

/// Clones of servers' repositories, kept between builds in `TERRINE_HOME/caches/git`: a build fetches only what is new.
///
/// One bare repository a URL and kind of clone, used by one process at a time while it fetches.
struct GitCache {
    let home: String
    var isOffline = false

    /// How much of a repository is wanted.
    struct Extent: Hashable {
        /// Commits of history; nil: all of it.
        var depth: Int?
        /// Without the contents of files that the commit does not have.
        var isPartial = false

        fileprivate var name: String { (depth.map { "-depth\($0)" } ?? "") + (isPartial ? "-partial" : "") }
        fileprivate var options: [String] { (depth.map { ["--depth=\($0)"] } ?? []) + (isPartial ? ["--filter=blob:none"] : []) }
    }

    /// Makes sure that a commit is here, and returns the bare repository that has it.
    ///
    /// The host's own git configuration counts while fetching: proxies, certificate authorities, credential helpers.
    func repository(_ url: String, ref: String, commit: String, extent: Extent = Extent()) throws -> String {
        let top = home + "/caches/git"
        try FileManager.default.createDirectory(atPath: top, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let folder = "\(top)/\(Digest.of(text: url).hex.prefix(24))\(extent.name)"
        let lock = try FileLock(folder + ".lock")
        return try withExtendedLifetime(lock) {
            if !FileManager.default.fileExists(atPath: folder + "/HEAD") { try make(folder, url) }
            if try CleanClone.has(commit, folder), try !extent.isPartial || hasFiles(of: commit, folder) { return folder }
            if isOffline {
                throw BuildError(
                    "offline", "commit \(commit.prefix(12)) of \(url) is not in the cache, and this build is offline", fix: "build once without --offline")
            }
            // What a killed fetch left is in nobody's way, but its locks would be.
            for name in ["shallow.lock", "packed-refs.lock", "config.lock"] { try? FileManager.default.removeItem(atPath: folder + "/" + name) }
            try fetch(url, ref, commit, extent, folder)
            return folder
        }
    }

    private func make(_ folder: String, _ url: String) throws {
        let new = "\(folder).new"
        // A half-made one of a killed build; there may be none.
        try? FileManager.default.removeItem(atPath: new)
        try HostTool.run(
            "git", ["init", "--quiet", "--bare", "--template=", new], environment: CleanClone.environment(isolated: false), purpose: "make a git repository")
        for (name, value) in [("remote.origin.url", url), ("gc.auto", "0"), ("remote.origin.promisor", "true"), ("fetch.fsckObjects", "true")] {
            // Only a partial clone has a promisor: others would ask for what is missing.
            if name.hasSuffix("promisor"), !folder.hasSuffix("-partial") { continue }
            try HostTool.run(
                "git", ["--git-dir=\(new)", "config", name, value], environment: CleanClone.environment(isolated: false), purpose: "set up a git repository")
        }
        try FileManager.default.moveItem(atPath: new, toPath: folder)
    }

    private func fetch(_ url: String, _ ref: String, _ commit: String, _ extent: Extent, _ folder: String) throws {
        // Some servers give a commit only by the ref that names it; and the ref may have moved since the plan was made.
        var last: BuildError?
        let wanted = ref.count >= 40 || ref == commit ? [commit] : [ref, commit]
        for name in wanted + (extent.depth == nil ? ["+refs/heads/*:refs/terrine/heads/*"] : []) {
            do {
                try HostTool.run(
                    "git", ["--git-dir=\(folder)", "fetch", "--quiet", "--no-tags", "--no-auto-gc"] + extent.options + ["--", url, name],
                    environment: CleanClone.environment(isolated: false), purpose: "fetch \(name) of \(url)")
                last = nil
                guard try CleanClone.has(commit, folder) else { continue }
                if extent.isPartial { try fetchFiles(of: commit, folder, url) }
                // A ref keeps the commit from being collected, and tells the next fetch what is here already.
                try HostTool.run(
                    "git", ["--git-dir=\(folder)", "update-ref", "refs/terrine/\(commit)", commit], environment: CleanClone.environment(isolated: true),
                    purpose: "keep \(commit) of \(url)")
                return
            } catch let error as BuildError { last = error }
        }
        throw last
            ?? BuildError("notFound", "\(url) has no commit \(commit) any more", fix: "`terrine build --update` takes what `\(ref)` is now, or correct `ref`")
    }

    /// Whether the contents of the commit's own files are here, in a repository without those of its history.
    private func hasFiles(of commit: String, _ folder: String) throws -> Bool { try missing(commit, folder).isEmpty }

    private func missing(_ commit: String, _ folder: String) throws -> [String] {
        let list = try HostTool.run(
            "git", ["--git-dir=\(folder)", "rev-list", "--objects", "--no-walk", "--missing=print", commit],
            environment: CleanClone.environment(isolated: true),
            purpose: "look for the files of \(commit)")
        return list.split(separator: "\n").filter { $0.hasPrefix("?") }.map { String($0.dropFirst()) }
    }

    private func fetchFiles(of commit: String, _ folder: String, _ url: String) throws {
        let missing = try missing(commit, folder)
        if missing.isEmpty { return }
        try HostTool.run(
            "git",
            [
                "--git-dir=\(folder)", "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none",
                "--stdin", "origin",
            ],
            environment: CleanClone.environment(isolated: false), input: missing.joined(separator: "\n") + "\n",
            purpose: "fetch the files of \(commit) of \(url)")
    }
}
