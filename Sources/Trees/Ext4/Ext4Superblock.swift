/// What a file system says of itself: https://www.kernel.org/doc/html/latest/filesystems/ext4/globals.html#super-block
struct Ext4Superblock {
    /// Features without which it cannot be read.
    struct Incompatible: OptionSet {
        let rawValue: UInt32
        static let compression = Self(rawValue: 0x1)
        static let fileType = Self(rawValue: 0x2)
        static let recover = Self(rawValue: 0x4)
        static let journalDevice = Self(rawValue: 0x8)
        static let metaGroups = Self(rawValue: 0x10)
        static let extents = Self(rawValue: 0x40)
        static let wide = Self(rawValue: 0x80)
        static let multipleMounts = Self(rawValue: 0x100)
        static let flexGroups = Self(rawValue: 0x200)
        static let attributeInodes = Self(rawValue: 0x400)
        static let checksumSeed = Self(rawValue: 0x2000)
        static let largeFolders = Self(rawValue: 0x4000)
        static let inlineData = Self(rawValue: 0x8000)
        static let encryption = Self(rawValue: 0x10000)
        static let caseFolding = Self(rawValue: 0x20000)

        /// Encrypted files are refused one by one.
        static let known: Self = [
            .fileType, .recover, .metaGroups, .extents, .wide, .multipleMounts, .flexGroups, .attributeInodes, .checksumSeed, .largeFolders, .inlineData,
            .encryption, .caseFolding,
        ]
    }

    static let magic: UInt16 = 0xEF53
    static let offset: Int64 = 1024
    static let bytes = 1024

    let inodes: UInt32
    let blocks: UInt64
    let firstBlock: UInt64
    let blockBytes: Int
    let blocksPerGroup: UInt32
    let inodesPerGroup: UInt32
    let inodeBytes: Int
    let incompatible: Incompatible
    let hasChecksums: Bool
    let checksumSeed: UInt32
    let descriptorBytes: Int
    let firstMetaGroup: UInt32
    let journalInode: UInt32
    let hasSparseBackups: Bool

    var groups: UInt64 { (blocks - firstBlock + UInt64(blocksPerGroup) - 1) / UInt64(blocksPerGroup) }

    /// - Throws: ``Ext4Damage`` for one that is not in order, ``TreeError`` `notExt4`, `unsupported`.
    init(_ bytes: [UInt8]) throws {
        let all = Ext4Bytes(bytes, "the superblock")
        guard try all.u16(0x38) == Self.magic else {
            throw TreeError(
                "notExt4", "the disk holds no ext2, ext3 or ext4 file system", cause: "there is no superblock 1,024 bytes from its start",
                fix: "name a disk whose first byte is that of the file system; one with a partition table has to be taken apart first")
        }
        incompatible = Incompatible(rawValue: try all.u32(0x60))
        let unknown = incompatible.subtracting(.known)
        guard unknown.isEmpty else {
            throw TreeError(
                "unsupported", "the ext4 file system has features that cannot be read here",
                cause: "incompatible features 0x\(String(unknown.rawValue, radix: 16))",
                fix: "copy its files to a file system made by `mke2fs -t ext4`")
        }
        let readOnlyCompatible = try all.u32(0x64)
        hasChecksums = readOnlyCompatible & 0x400 != 0
        hasSparseBackups = readOnlyCompatible & 1 != 0
        if hasChecksums {
            guard try all.u8(0x175) == 1 else { throw Ext4Damage("its checksums are of an unknown kind") }
            guard try CRC32C.update(.max, bytes[..<0x3FC]) == all.u32(0x3FC) else { throw Ext4Damage("the superblock's checksum is wrong") }
        }
        checksumSeed = incompatible.contains(.checksumSeed) ? try all.u32(0x270) : CRC32C.update(.max, bytes[0x68..<0x78])
        let scale = try all.u32(0x18)
        guard scale <= 6 else { throw Ext4Damage("blocks of 2^\(UInt64(scale) + 10) bytes") }
        blockBytes = 1024 << Int(scale)
        let isWide = incompatible.contains(.wide)
        blocks = UInt64(try all.u32(4)) | (isWide ? UInt64(try all.u32(0x150)) << 32 : 0)
        firstBlock = UInt64(try all.u32(0x14))
        (inodes, blocksPerGroup, inodesPerGroup) = (try all.u32(0), try all.u32(0x20), try all.u32(0x28))
        inodeBytes = try all.u32(0x4C) == 0 ? 128 : Int(try all.u16(0x58))
        descriptorBytes = isWide ? Int(try all.u16(0xFE)) : 32
        firstMetaGroup = try all.u32(0x104)
        journalInode = try all.u32(0xE0)
        guard blocks > 0, blocks < 1 << 48, firstBlock <= 1, firstBlock < blocks, blocksPerGroup > 0, blocksPerGroup <= UInt32(blockBytes) * 8 * 16 else {
            throw Ext4Damage("the superblock's numbers of blocks are out of range")
        }
        guard inodeBytes >= 128, inodeBytes <= blockBytes, inodeBytes.nonzeroBitCount == 1, inodesPerGroup > 0, inodesPerGroup <= UInt32(blockBytes) * 8,
            UInt64(inodes) <= groups * UInt64(inodesPerGroup), inodes >= 11
        else { throw Ext4Damage("the superblock's numbers of inodes are out of range") }
        guard descriptorBytes >= (isWide ? 64 : 32), descriptorBytes <= blockBytes, descriptorBytes.nonzeroBitCount == 1 else {
            throw Ext4Damage("the superblock's size of a group descriptor is out of range")
        }
    }

    /// Whether a group holds a copy of the superblock.
    func hasBackup(_ group: UInt64) -> Bool {
        if !hasSparseBackups || group <= 1 { return true }
        return [3, 5, 7].contains { base in
            var power = UInt64(base)
            while power < group { power *= UInt64(base) }
            return power == group
        }
    }
}
