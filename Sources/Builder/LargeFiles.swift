import Foundation
import Linux

/// Files that a repository keeps in git LFS: fetched into the shared cache, and put in the place of their pointers.
///
/// Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
struct LargeFiles {
    let cache: GitCache

    /// - Parameter target: a checked-out clean clone of `url`; nothing happens when it has no such files.
    func checkOut(url: String, commit: String, at target: String) throws {
        guard try isUsed(at: target) else { return }
        try HostTool.require("git-lfs", purpose: "check out the large files of \(url)")
        let storage = cache.home + "/caches/git/lfs"
        try FileManager.default.createDirectory(atPath: storage, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        // Objects are named by their hash and put in place by a rename, so builds may share them at any time. (The setting `lfs.storage` would hold for
        // a repository of this host that they come from, too.)
        try FileManager.default.createDirectory(atPath: target + "/.git/lfs", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: target + "/.git/lfs/objects", withDestinationPath: storage)
        let settings = ["-c", "remote.origin.url=\(url)", "-c", "core.hooksPath=/dev/null"]
        let environment = CleanClone.environment(isolated: false)
        if !cache.isOffline {
            try HostTool.run(
                "git", ["-C", target] + settings + ["lfs", "fetch", "origin", commit], environment: environment, purpose: "fetch the large files of \(url)")
        }
        try HostTool.run("git", ["-C", target] + settings + ["lfs", "checkout"], environment: environment, purpose: "check out the large files of \(url)")
        if let left = try pointers(at: target).first {
            throw BuildError(
                "notFound", "the large file \(left) of \(url) cannot be had",
                fix: cache.isOffline ? "build once without --offline" : "push it with `git lfs push --all`, or set `lfs: false`")
        }
        // What this host's git-lfs noted for itself, and the link.
        try FileManager.default.removeItem(atPath: target + "/.git/lfs")
        // So that the files count as unchanged where git-lfs is installed.
        for (name, value) in [("clean", "git-lfs clean -- %f"), ("smudge", "git-lfs smudge -- %f"), ("process", "git-lfs filter-process")] {
            try HostTool.run(
                "git", ["config", "--file", target + "/.git/config", "filter.lfs.\(name)", value], environment: CleanClone.environment(isolated: true),
                purpose: "set up large files")
        }
        try CleanClone.renewIndex(at: target)
    }

    private func isUsed(at target: String) throws -> Bool { try !pointers(at: target).isEmpty }

    /// Files whose content is a pointer.
    private func pointers(at target: String) throws -> [String] {
        let list = try HostTool.run(
            "git", ["-C", target, "ls-files", "-z", "--", ":(attr:filter=lfs)"], environment: CleanClone.environment(isolated: true),
            purpose: "look for large files")
        return list.split(separator: "\0").map(String.init).filter { path in
            guard let file = FileHandle(forReadingAtPath: target + "/" + path) else { return false }
            // Closed for reading: nothing can be lost.
            defer { try? file.close() }
            // A file that cannot be read is no pointer.
            return (try? file.read(upToCount: 64))?.starts(with: Array("version https://git-lfs.github.com/spec/".utf8)) == true
        }
    }
}
