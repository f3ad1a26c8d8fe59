/// All the files of a disk, an archive or an OCI image, with their metadata; no contents, which are read where they lie when somebody wants them.
///
/// Sources make one (``Ext4Reader``, readers of archives); sinks take one (``Ext4Formatter``, ``TreeDigest``, ``TreeDifference``, writers of archives).
/// What goes between is checked once, by the source, which guarantees that
/// - every name fits ``ByteString/isFileName``, and no target of a link is empty or has a NUL in it;
/// - every folder is in exactly one other, so that walks end, and no path is longer than ``maximumPath``;
/// - only what is not a folder has several names (hard links): one ``FileNode`` for all of them.
///
/// One thread makes it or changes it. When that is done, any number of threads read it, as long as nobody changes it; so it is handed on, never shared with
/// a writer. A few hundred thousand files take about 100 MB.
public final class FileTree: @unchecked Sendable {
    /// Bytes of a path without the `/` before it: no system call takes a longer one (PATH_MAX). So no folder lies deeper than half of that.
    public static let maximumPath = 4095

    /// A folder.
    public var root: FileNode

    public init(root: FileNode = FileNode(.folder(FileFolder()), mode: 0o755)) { self.root = root }

    /// What is at a path, without following links; nil where nothing is. The empty path and `/` are the root.
    public func node(at path: ByteString) -> FileNode? {
        var node = root
        for name in path.components {
            guard let next = node.folder?[name] else { return nil }
            node = next
        }
        return node
    }

    /// Calls `body` for the root, with an empty path, and all below it: a folder before what is in it, names in a folder by their bytes. This is *path order*.
    ///
    /// A file with several names comes once for each.
    /// - Parameter body: gets paths such as `usr/bin/env`; whether to go into a folder is what it returns.
    public func search(_ body: (_ path: ByteString, _ node: FileNode) throws -> Bool) rethrows {
        guard try body("", root), let folder = root.folder else { return }
        var pending = [(path: ByteString(""), entries: folder.sorted[...])]
        while let last = pending.indices.last {
            guard let (name, node) = pending[last].entries.popFirst() else {
                pending.removeLast()
                continue
            }
            let path = pending[last].path.appending(name)
            if try body(path, node), let folder = node.folder { pending.append((path, folder.sorted[...])) }
        }
    }

    /// Calls `body` for everything, in path order.
    public func walk(_ body: (_ path: ByteString, _ node: FileNode) throws -> Void) rethrows {
        try search { path, node in
            try body(path, node)
            return true
        }
    }

    /// Files with more than one name: how many each has.
    public func linkCounts() -> [ObjectIdentifier: Int] {
        var counts: [ObjectIdentifier: Int] = [:]
        walk { _, node in if node.folder == nil { counts[ObjectIdentifier(node), default: 0] += 1 } }
        return counts.filter { $0.value > 1 }
    }
}
