/// Reads the files of an ext2, ext3 or ext4 file system without mounting it.
///
/// What a kernel or `mke2fs` writes by default is understood, and what may be in a stranger's disk: extents and block maps, hashed folders, inline data,
/// attributes in inodes, blocks and files of their own, 64-bit block numbers, and metadata checksums, all of which are verified where a block is used.
/// A disk may be hostile: whatever its bytes are, this returns or throws, in time and memory that its size bounds. Nothing is ever written.
public struct Ext4Reader {
    private let volume: Ext4Volume
    private let limit: Int

    /// - Parameters:
    ///   - disk: the file system's bytes, from its first one on.
    ///   - limit: names that it may have.
    /// - Throws: ``TreeError`` `notExt4`, `unsupported`, `corrupt`, or `needsRecovery` when its journal holds changes that are not in place yet.
    public init(_ disk: any FileContent, limit: Int = 4_000_000) throws {
        self.limit = limit
        do { volume = try Ext4Volume(disk) } catch let damage as Ext4Damage { throw damage.error("the ext4 file system") }
        guard !volume.superblock.incompatible.contains(.recover) else {
            throw TreeError(
                "needsRecovery", "the ext4 file system was not unmounted: its journal holds changes that are not in place yet",
                fix: "`e2fsck -fy` on a copy of the disk puts them in place")
        }
    }

    /// All its files. `lost+found` is left out while it is empty: it belongs to the file system, not to the files.
    ///
    /// - Throws: ``TreeError`` `corrupt` with the path of what is damaged, `tooLarge`, `tooDeep`, `encrypted`.
    public func tree() throws -> FileTree {
        var walk = Walk(volume: volume, limit: limit)
        let tree = FileTree(root: try walk.run())
        if let folder = tree.root.folder, let found = folder["lost+found"], found.folder?.children.isEmpty == true { folder["lost+found"] = nil }
        return tree
    }

    /// One file, found by its path, without looking at all others. Links on the way are followed, the last one is not.
    ///
    /// - Returns: nil where nothing is; the path has no links on its way. A folder comes without what is in it.
    /// - Throws: as ``tree()``.
    public func file(at path: ByteString) throws -> (path: ByteString, node: FileNode)? {
        var pending = Array(path.components.reversed())
        var trail: [(name: ByteString, inode: UInt32)] = []
        var links = 0
        var found = try node(2, "")
        while let name = pending.popLast() {
            guard found.folder != nil else { return nil }
            if name == ".." {
                trail = trail.dropLast()
                found = try node(trail.last?.inode ?? 2, "")
                continue
            }
            let here = trail.reduce(ByteString("")) { $0.appending($1.name) }
            guard let entry = try entries(of: trail.last?.inode ?? 2, here).first(where: { $0.name == name }) else { return nil }
            let next = try node(entry.inode, here.appending(name))
            if case .symlink(let target) = next.kind, !pending.isEmpty {
                links += 1
                // As many as Linux follows.
                guard links <= 40 else { return nil }
                if target.bytes.first == 0x2F { trail = [] }
                found = try node(trail.last?.inode ?? 2, "")
                pending += target.components.reversed()
                continue
            }
            trail.append((name, entry.inode))
            found = next
        }
        return (trail.reduce(ByteString("")) { $0.appending($1.name) }, found)
    }

    /// What is in a folder, found by its path without links on the way; nil where none is.
    public func names(in path: ByteString) throws -> [ByteString]? {
        var inode: UInt32 = 2
        var here: ByteString = ""
        for name in path.components {
            guard try node(inode, here).folder != nil, let entry = try entries(of: inode, here).first(where: { $0.name == name }) else { return nil }
            (inode, here) = (entry.inode, here.appending(name))
        }
        guard try node(inode, here).folder != nil else { return nil }
        return try entries(of: inode, here).map(\.name)
    }

    private func node(_ inode: UInt32, _ path: ByteString) throws -> FileNode {
        var walk = Walk(volume: volume, limit: limit)
        return try walk.at(path) { try $0.node(inode, path) }
    }

    private func entries(of folder: UInt32, _ path: ByteString) throws -> [(name: ByteString, inode: UInt32)] {
        var walk = Walk(volume: volume, limit: limit)
        return try walk.at(path) { try $0.entries(of: folder, claiming: false) }
    }

    private struct Walk {
        let volume: Ext4Volume
        let limit: Int
        var attributes: Ext4Attributes
        var nodes: [UInt32: FileNode] = [:]
        var names = 0
        var pending: [(inode: UInt32, folder: FileFolder, path: ByteString)] = []

        init(volume: Ext4Volume, limit: Int) { (self.volume, self.limit, attributes) = (volume, limit, Ext4Attributes(volume)) }

        mutating func run() throws -> FileNode {
            let root = try at("") { walk in
                let node = try walk.node(2, "")
                guard node.folder != nil else { throw Ext4Damage("its root is not a folder") }
                return node
            }
            while let next = pending.popLast() {
                let entries = try at(next.path) { try $0.entries(of: next.inode, claiming: true) }
                for entry in entries {
                    let path = next.path.appending(entry.name)
                    guard path.count <= FileTree.maximumPath else {
                        throw TreeError(
                            "tooDeep", "the ext4 file system has a path of more than \(FileTree.maximumPath) bytes",
                            cause: String("/\(path)".prefix(200)) + "…",
                            fix: "no program can open it by that path; move it or remove it")
                    }
                    let child = try at(path) { walk in
                        walk.names += 1
                        guard walk.names <= walk.limit else { throw TreeError("tooLarge", "the file system has more than \(walk.limit) files") }
                        guard next.folder[entry.name] == nil else { throw Ext4Damage("its folder has the name twice") }
                        return try walk.node(entry.inode, path)
                    }
                    next.folder[entry.name] = child
                }
            }
            return root
        }

        mutating func entries(of folder: UInt32, claiming: Bool) throws -> [(name: ByteString, inode: UInt32)] {
            let inode = try volume.inode(folder)
            let inline = inode.flags.contains(.inlineData) ? try attributes.attributes(of: inode)[Ext4Attributes.inlineData] : nil
            return try Ext4Folder.entries(of: inode, volume, inline: inline, claiming: claiming)
        }

        mutating func at<Result>(_ path: ByteString, _ body: (inout Walk) throws -> Result) throws -> Result {
            do { return try body(&self) } catch let damage as Ext4Damage { throw damage.error("/\(path) in the ext4 file system") }
        }

        mutating func node(_ number: UInt32, _ path: ByteString) throws -> FileNode {
            if let known = nodes[number] {
                guard known.folder == nil else { throw Ext4Damage("the folder is in two places at once") }
                return known
            }
            let inode = try volume.inode(number)
            guard inode.links > 0, number == 2 || number >= 11 else { throw Ext4Damage("inode \(number) is no file's") }
            guard !inode.flags.contains(.encrypted), !inode.flags.contains(.compressed) else {
                throw TreeError(
                    "encrypted", "/\(path) is encrypted or compressed by the file system", fix: "copy the files while the file system is mounted and open")
            }
            var attributes = try self.attributes.attributes(of: inode)
            let inline = attributes.removeValue(forKey: Ext4Attributes.inlineData)
            let node = FileNode(
                try kind(inode, inline), mode: inode.mode & 0o7777, user: try inode.user, group: try inode.group, modified: try inode.modified,
                attributes: attributes)
            nodes[number] = node
            if let folder = node.folder { pending.append((number, folder, path)) }
            return node
        }

        private func kind(_ inode: Ext4Inode, _ inline: [UInt8]?) throws -> FileNode.Kind {
            switch inode.format {
            case Ext4Inode.Format.folder: return .folder(FileFolder())
            case Ext4Inode.Format.file: return .file(try content(inode, inline))
            case Ext4Inode.Format.symlink:
                guard inode.size > 0, inode.size <= 4096 else { throw Ext4Damage("a link's target has \(inode.size) bytes") }
                let target = try inode.isShortLink(volume.superblock) ? Array(inode.blockField[..<Int(inode.size)]) : content(inode, inline).bytes(limit: 4096)
                guard !target.contains(0) else { throw Ext4Damage("a link's target has a NUL in it") }
                return .symlink(ByteString(target))
            case Ext4Inode.Format.characterDevice: return .characterDevice(try inode.device)
            case Ext4Inode.Format.blockDevice: return .blockDevice(try inode.device)
            case Ext4Inode.Format.fifo: return .fifo
            case Ext4Inode.Format.socket: return .socket
            default: throw Ext4Damage("inode \(inode.number) has the mode 0o\(String(inode.mode, radix: 8))")
            }
        }

        private func content(_ inode: Ext4Inode, _ inline: [UInt8]?) throws -> any FileContent {
            guard inode.flags.contains(.inlineData) else { return Ext4FileContent(volume, inode) }
            let all = try inode.blockField + (inline ?? [])
            guard inode.size <= Int64(all.count) else { throw Ext4Damage("inode \(inode.number) should hold \(inode.size) bytes itself, and has \(all.count)") }
            return BytesContent(Array(all[..<Int(inode.size)]))
        }
    }
}
