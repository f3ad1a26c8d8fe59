/// Reads what is in a folder: https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#directory-entries
///
/// A hashed folder's index looks like unused entries to whoever does not know it, so one way of reading serves all.
struct Ext4Folder {
    let volume: Ext4Volume
    let inode: Ext4Inode
    private var entries: [(name: ByteString, inode: UInt32)] = []

    private init(_ volume: Ext4Volume, _ inode: Ext4Inode) { (self.volume, self.inode) = (volume, inode) }

    /// Names and inodes as they lie, without `.` and `..`.
    ///
    /// - Parameter claiming: for a reader of all files, each of which comes once.
    static func entries(of inode: Ext4Inode, _ volume: Ext4Volume, inline: [UInt8]?, claiming: Bool) throws -> [(name: ByteString, inode: UInt32)] {
        var folder = Ext4Folder(volume, inode)
        if inode.flags.contains(.inlineData) {
            // The parent's number comes first, instead of `.` and `..`.
            try folder.read(Ext4Bytes(Array(inode.blockField[4...]), "folder \(inode.number)"))
            if let inline, !inline.isEmpty { try folder.read(Ext4Bytes(inline, "folder \(inode.number)")) }
            return folder.entries
        }
        let extents = try Ext4BlockMap.extents(of: inode, volume)
        if claiming { try volume.claim(extents.reduce(0) { $0 + $1.count }) }
        for extent in extents {
            for index in 0..<extent.count {
                let block = try volume.block(extent.physical + index, "folder \(inode.number)")
                try folder.verify(block, extent.logical + index)
                try folder.read(block)
            }
        }
        return folder.entries
    }

    /// Blocks of entries end with their checksum. Those of an index have theirs elsewhere, and nothing is taken from them; they may end with an old one.
    private func verify(_ block: Ext4Bytes, _ index: UInt64) throws {
        let tail = block.count - 12
        guard volume.superblock.hasChecksums, index > 0 || !inode.flags.contains(.indexed) else { return }
        let isIndex = try block.u32(0) == 0 && Int(block.u16(4)) == block.count & 0xFFFF
        guard !isIndex, try block.u32(tail) == 0, try block.u32(tail + 4) == 0xDE00_000C else { return }
        guard try CRC32C.update(inode.checksumSeed(volume.superblock), block.bytes[..<tail]) == block.u32(tail + 8) else {
            throw Ext4Damage("a checksum of folder \(inode.number) is wrong")
        }
    }

    private mutating func read(_ block: Ext4Bytes) throws {
        let hasTypes = volume.superblock.incompatible.contains(.fileType)
        var at = 0
        while at < block.count {
            let number = try block.u32(at)
            var length = Int(try block.u16(at + 4))
            // Blocks of 64 KiB have no number for their own size.
            if block.count >= 65536, length == 65535 || length == 0 {
                length = block.count
            } else if block.count > 65536 {
                length = length & 65532 | (length & 3) << 16
            }
            let nameLength = hasTypes ? try block.u8(at + 6) : Int(try block.u16(at + 6))
            guard length >= 8, length % 4 == 0, length <= block.count - at, number == 0 || nameLength + 8 <= length else {
                throw Ext4Damage("an entry of folder \(inode.number) is not in order")
            }
            if number != 0 {
                let name = ByteString(try block.slice(at + 8, nameLength))
                if name != ".", name != ".." {
                    guard name.isFileName else { throw Ext4Damage("folder \(inode.number) has an entry named `\(name)`, which no file can be") }
                    entries.append((name, number))
                }
            }
            at += length
        }
    }
}
