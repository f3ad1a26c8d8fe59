/// Lays out the entries of a folder in blocks.
enum Ext4FolderWriter {
    struct Entry {
        var name: [UInt8]
        var inode: UInt32
        /// 1 file, 2 folder, 3 and 4 devices, 5 fifo, 6 socket, 7 link.
        var type: UInt8
        var bytes: Int { (8 + name.count + 3) & ~3 }
    }

    /// What a block holds before its checksum.
    private static let room = Ext4Geometry.blockBytes - 12

    /// How the entries, in their order, fall into blocks.
    static func pack(_ entries: [Entry]) -> [Range<Int>] {
        var blocks: [Range<Int>] = []
        var (start, filled) = (0, 0)
        for (index, entry) in entries.enumerated() {
            if filled + entry.bytes > room {
                blocks.append(start..<index)
                (start, filled) = (index, 0)
            }
            filled += entry.bytes
        }
        blocks.append(start..<entries.count)
        return blocks
    }

    /// - Parameter seed: of the folder's checksums.
    static func block(_ entries: ArraySlice<Entry>, seed: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Ext4Geometry.blockBytes)
        var at = 0
        for (index, entry) in zip(entries.indices, entries) {
            let length = index == entries.endIndex - 1 ? room - at : entry.bytes
            bytes.put(entry.inode, at: at)
            bytes.put(UInt16(length), at: at + 4)
            bytes[at + 6] = UInt8(entry.name.count)
            bytes[at + 7] = entry.type
            bytes.replaceSubrange(at + 8..<at + 8 + entry.name.count, with: entry.name)
            at += length
        }
        bytes.put(UInt16(12), at: room + 4)
        bytes[room + 7] = 0xDE
        bytes.put(CRC32C.update(seed, bytes[..<room]), at: room + 8)
        return bytes
    }
}

extension FileNode.Kind {
    /// As in an entry of a folder.
    var entryType: UInt8 {
        switch self {
        case .file: 1
        case .folder: 2
        case .characterDevice: 3
        case .blockDevice: 4
        case .fifo: 5
        case .socket: 6
        case .symlink: 7
        }
    }

    /// As in an inode's mode.
    var format: UInt16 {
        switch self {
        case .file: Ext4Inode.Format.file
        case .folder: Ext4Inode.Format.folder
        case .characterDevice: Ext4Inode.Format.characterDevice
        case .blockDevice: Ext4Inode.Format.blockDevice
        case .fifo: Ext4Inode.Format.fifo
        case .socket: Ext4Inode.Format.socket
        case .symlink: Ext4Inode.Format.symlink
        }
    }
}
