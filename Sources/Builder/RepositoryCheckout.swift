import Foundation
import Glibc
import Linux
import Recipes

/// A repository of a recipe as a folder of this host, ready to be copied into a machine: a clean clone with its submodules and large files.
struct RepositoryCheckout {
    let cache: GitCache
    /// For what is made on the way.
    let scratch: String

    /// Makes `target`.
    func make(_ clone: PlanStep.Clone, at target: String) throws {
        if let path = clone.localPath, let git = try GitRepository(at: path) {
            try make(from: git.folder, url: "file://" + URL(fileURLWithPath: path).resolvingSymlinksInPath().path, clone, at: target)
        } else {
            let folder = try cache.repository(clone.url, ref: clone.ref, commit: clone.commit, extent: extent(clone))
            try make(from: folder, url: clone.url, clone, at: target)
        }
    }

    private func extent(_ clone: PlanStep.Clone) -> GitCache.Extent { .init(depth: clone.depth, isPartial: clone.isPartial) }

    private func make(from source: String, url: String, _ clone: PlanStep.Clone, at target: String) throws {
        // What the clone holds follows from what its key is taken over: the ref and its commit, and no other branch.
        let isBranch = clone.ref != "HEAD" && clone.ref != clone.commit
        let head: CleanClone.Head = isBranch ? .branch("refs/heads/" + Self.branch(clone.ref)) : .commit(clone.commit)
        let refs = isBranch ? ["refs/heads/" + Self.branch(clone.ref): clone.commit] : [:]
        var source = source
        if let depth = clone.depth, clone.localPath != nil {
            // A local repository has all of its history; a shallow one is made of it first.
            let thin = "\(scratch)/thin-\(UUID().uuidString.prefix(8))"
            try CleanClone.fetch("file://" + source, ref: clone.commit, commit: clone.commit, options: ["--depth=\(depth)"], to: thin)
            source = thin
        }
        try CleanClone.make(
            from: source, refs: refs, head: head, shallow: shallow(source), isPartial: clone.isPartial && clone.localPath == nil ? url : nil, at: target,
            checkOut: true)
        if clone.hasLargeFiles { try LargeFiles(cache: cache).checkOut(url: url, commit: clone.commit, at: target) }
        if clone.hasSubmodules { try submodules(of: url, clone, at: target, depth: 0) }
    }

    private static func branch(_ ref: String) -> String {
        for prefix in ["refs/heads/", "refs/tags/"] where ref.hasPrefix(prefix) { return String(ref.dropFirst(prefix.count)) }
        return ref
    }

    func shallow(_ folder: String) -> [String] {
        FileManager.default.contents(atPath: folder + "/shallow").map { String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init) } ?? []
    }

    // MARK: Submodules

    private func submodules(of url: String, _ clone: PlanStep.Clone, at target: String, depth: Int) throws {
        if depth > 8 { throw BuildError("badRepository", "the submodules of \(clone.url) are nested more than 8 deep", fix: "set `submodules: false`") }
        for module in try Submodule.list(at: target) {
            let address = try module.address(relativeTo: url)
            let inner = PlanStep.Clone(
                url: address, localPath: nil, path: clone.path + "/" + module.path, ref: module.commit, commit: module.commit, depth: clone.depth,
                isPartial: clone.isPartial, hasSubmodules: true, hasLargeFiles: clone.hasLargeFiles)
            let place = target + "/" + module.path
            let folder = try cache.repository(address, ref: module.branch ?? module.commit, commit: module.commit, extent: extent(inner))
            try CleanClone.make(
                from: folder, refs: [:], head: .commit(module.commit), shallow: shallow(folder), isPartial: inner.isPartial ? address : nil, at: place,
                checkOut: true)
            if inner.hasLargeFiles { try LargeFiles(cache: cache).checkOut(url: address, commit: module.commit, at: place) }
            // So that git in the machine takes it for one that is set up. The address in .gitmodules is the one that counts, without credentials.
            try HostTool.run(
                "git", ["config", "--file", target + "/.git/config", "submodule.\(module.name).url", module.url],
                environment: CleanClone.environment(isolated: true),
                purpose: "set up the submodule \(module.path)")
            try submodules(of: address, inner, at: place, depth: depth + 1)
        }
    }
}

/// An entry of `.gitmodules`, with the commit that the repository names for it. Source: gitmodules(5).
struct Submodule: Equatable {
    let name: String
    let path: String
    let url: String
    let branch: String?
    let commit: String

    /// Those of a checked-out repository.
    static func list(at folder: String) throws -> [Submodule] {
        var status = stat()
        // A link there would be read by git as nothing, too.
        guard lstat(folder + "/.gitmodules", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return [] }
        let environment = CleanClone.environment(isolated: true)
        let text = try HostTool.run(
            "git", ["config", "--file", folder + "/.gitmodules", "--null", "--list"], environment: environment, purpose: "read .gitmodules")
        var modules: [String: [String: String]] = [:]
        for entry in text.split(separator: "\0") {
            let parts = entry.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].hasPrefix("submodule."), let dot = parts[0].lastIndex(of: ".") else { continue }
            let name = String(parts[0][..<dot].dropFirst("submodule.".count))
            modules[name, default: [:]][String(parts[0][parts[0].index(after: dot)...])] = String(parts[1])
        }
        return try modules.sorted { $0.key < $1.key }.compactMap { name, values in
            guard let path = values["path"], let url = values["url"] else { return nil }
            let tree = try HostTool.run(
                "git", ["-C", folder, "ls-tree", "-z", "HEAD", "--", path], environment: environment, purpose: "find the commit of the submodule \(path)")
            // Not in the tree: an entry that was left behind.
            guard tree.hasPrefix("160000 commit "), let commit = tree.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst(2).first else { return nil }
            if path.split(separator: "/").contains(where: { [".", "..", ".git"].contains($0.lowercased()) }) || path.hasPrefix("/") {
                throw BuildError("badRepository", "the submodule \(name) would lie at \(path)", fix: "set `submodules: false`")
            }
            return Submodule(name: name, path: path, url: url, branch: values["branch"].flatMap { $0 == "." ? nil : $0 }, commit: String(commit))
        }
    }

    /// Where it is fetched from; a relative address is taken from the repository's own.
    func address(relativeTo parent: String) throws -> String {
        var address = url
        if url.hasPrefix("./") || url.hasPrefix("../") {
            var base = parent.hasSuffix("/") ? String(parent.dropLast()) : parent
            var rest = Substring(url)
            while true {
                if rest.hasPrefix("../") {
                    rest = rest.dropFirst(3)
                    guard let cut = base.lastIndex(where: { $0 == "/" || $0 == ":" }) else { break }
                    base = String(base[..<cut])
                } else if rest.hasPrefix("./") {
                    rest = rest.dropFirst(2)
                } else {
                    break
                }
            }
            address = base + "/" + rest
        }
        // A repository of the net must not reach into this host, nor have git start a program.
        let isLocal = parent.hasPrefix("file://")
        let allowed = ["https://", "http://", "ssh://", "git://"] + (isLocal ? ["file://"] : [])
        let isScp = address.wholeMatch(of: /[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^:].*/) != nil
        guard isScp || allowed.contains(where: { address.hasPrefix($0) && !address.dropFirst($0.count).hasPrefix("-") }) else {
            throw BuildError(
                "badRepository", "the submodule \(path) is to come from `\(url)`, which is no address that a repository may name",
                fix: "set `submodules: false`, and name it under `repositories` yourself")
        }
        return address
    }
}
