/// The superblock of a new file system.
struct Ext4SuperblockRecord {
    /// has_journal, ext_attr, resize_inode, dir_index.
    private static let compatible: UInt32 = 0x4 | 0x8 | 0x10 | 0x20
    private static let incompatible: Ext4Superblock.Incompatible = [.fileType, .extents, .wide, .flexGroups]
    /// sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum.
    private static let readOnlyCompatible: UInt32 = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400

    var geometry: Ext4Geometry
    var freeBlocks: Int
    var freeInodes: Int
    var uuid: [UInt8]
    var hashSeed: [UInt8]
    /// The 60 bytes that say where the journal is, which e2fsck finds here when inodes are lost.
    var journalField: [UInt8]
    var journalBytes: UInt64

    /// The copy for a group, with what is before and after it in its block.
    func block(_ group: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let epoch = UInt32(truncatingIfNeeded: Ext4Formatter.epoch)
        bytes.put(UInt32(geometry.inodes), at: 0)
        bytes.put(UInt32(truncatingIfNeeded: geometry.blocks), at: 4)
        bytes.put(UInt32(truncatingIfNeeded: freeBlocks), at: 0x0C)
        bytes.put(UInt32(freeInodes), at: 0x10)
        bytes.put(UInt32(2), at: 0x18)
        bytes.put(UInt32(2), at: 0x1C)
        bytes.put(UInt32(Ext4Geometry.blocksPerGroup), at: 0x20)
        bytes.put(UInt32(Ext4Geometry.blocksPerGroup), at: 0x24)
        bytes.put(UInt32(geometry.inodesPerGroup), at: 0x28)
        bytes.put(epoch, at: 0x30)
        bytes.put(UInt16.max, at: 0x36)
        bytes.put(Ext4Superblock.magic, at: 0x38)
        // Clean; goes on after errors.
        bytes.put(UInt16(1), at: 0x3A)
        bytes.put(UInt16(1), at: 0x3C)
        bytes.put(epoch, at: 0x40)
        bytes.put(UInt32(1), at: 0x4C)
        bytes.put(UInt32(11), at: 0x54)
        bytes.put(UInt16(Ext4Geometry.inodeBytes), at: 0x58)
        bytes.put(UInt16(group), at: 0x5A)
        bytes.put(Self.compatible, at: 0x5C)
        bytes.put(Self.incompatible.rawValue, at: 0x60)
        bytes.put(Self.readOnlyCompatible, at: 0x64)
        bytes.replaceSubrange(0x68..<0x78, with: uuid)
        bytes.put(UInt16(geometry.reservedDescriptorBlocks), at: 0xCE)
        bytes.put(UInt32(8), at: 0xE0)
        bytes.replaceSubrange(0xEC..<0xFC, with: hashSeed)
        // Half MD4; the copy of the journal's place is one of blocks.
        bytes[0xFC] = 1
        bytes[0xFD] = 1
        bytes.put(UInt16(Ext4Geometry.descriptorBytes), at: 0xFE)
        // user_xattr, acl.
        bytes.put(UInt32(0x4 | 0x8), at: 0x100)
        bytes.put(epoch, at: 0x108)
        bytes.replaceSubrange(0x10C..<0x10C + 60, with: journalField)
        bytes.put(UInt32(truncatingIfNeeded: journalBytes >> 32), at: 0x10C + 60)
        bytes.put(UInt32(truncatingIfNeeded: journalBytes), at: 0x10C + 64)
        bytes.put(UInt32(truncatingIfNeeded: geometry.blocks >> 32), at: 0x150)
        bytes.put(UInt32(truncatingIfNeeded: freeBlocks >> 32), at: 0x158)
        bytes.put(UInt16(32), at: 0x15C)
        bytes.put(UInt16(32), at: 0x15E)
        // Hashes of names take bytes as signed, wherever it is mounted.
        bytes.put(UInt32(1), at: 0x160)
        // 16 groups lie together; CRC-32C.
        bytes[0x174] = 4
        bytes[0x175] = 1
        bytes.put(CRC32C.update(.max, bytes[..<0x3FC]), at: 0x3FC)
        // The first 1,024 bytes of a disk are a boot loader's.
        let before = group == 0 ? 1024 : 0
        return [UInt8](repeating: 0, count: before) + bytes + [UInt8](repeating: 0, count: Ext4Geometry.blockBytes - 1024 - before)
    }
}

/// The first block of an empty journal: https://www.kernel.org/doc/html/latest/filesystems/ext4/journal.html#super-block
enum Ext4JournalHeader {
    static func block(blocks: Int, uuid: [UInt8]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Ext4Geometry.blockBytes)
        /// Alone in ext4, it is big-endian.
        func put(_ number: UInt32, _ at: Int) { bytes.put(number.bigEndian, at: at) }
        put(0xC03B_3998, 0)
        put(4, 4)
        put(UInt32(Ext4Geometry.blockBytes), 0x0C)
        put(UInt32(blocks), 0x10)
        put(1, 0x14)
        put(1, 0x18)
        bytes.replaceSubrange(0x30..<0x40, with: uuid)
        put(1, 0x40)
        return bytes
    }
}
