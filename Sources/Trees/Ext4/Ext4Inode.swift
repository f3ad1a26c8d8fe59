/// One inode as it lies on the disk: https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#index-nodes
struct Ext4Inode {
    struct Flags: OptionSet {
        let rawValue: UInt32
        static let encrypted = Self(rawValue: 0x800)
        static let compressed = Self(rawValue: 0x200)
        static let indexed = Self(rawValue: 0x1000)
        static let extents = Self(rawValue: 0x80000)
        static let attributeValue = Self(rawValue: 0x200000)
        static let inlineData = Self(rawValue: 0x1000_0000)
    }

    enum Format {
        static let fifo: UInt16 = 0o010000
        static let characterDevice: UInt16 = 0o020000
        static let folder: UInt16 = 0o040000
        static let blockDevice: UInt16 = 0o060000
        static let file: UInt16 = 0o100000
        static let symlink: UInt16 = 0o120000
        static let socket: UInt16 = 0o140000
        static let mask: UInt16 = 0o170000
    }

    let number: UInt32
    let bytes: Ext4Bytes
    let mode: UInt16
    let links: UInt16
    let flags: Flags
    let size: Int64
    let generation: UInt32

    init(_ number: UInt32, _ raw: [UInt8], _ superblock: Ext4Superblock) throws {
        self.number = number
        bytes = Ext4Bytes(raw, "inode \(number)")
        (mode, links, flags, generation) = (try bytes.u16(0), try bytes.u16(0x1A), Flags(rawValue: try bytes.u32(0x20)), try bytes.u32(0x64))
        let size = UInt64(try bytes.u32(4)) | UInt64(try bytes.u32(0x6C)) << 32
        guard size < 1 << 56 else { throw Ext4Damage("inode \(number) has a size of \(size) bytes") }
        self.size = Int64(size)
        if superblock.hasChecksums { try verify(superblock) }
    }

    /// What checksums of the inode's own blocks begin with.
    func checksumSeed(_ superblock: Ext4Superblock) -> UInt32 { CRC32C.update(CRC32C.update(superblock.checksumSeed, number), generation) }

    private func verify(_ superblock: Ext4Superblock) throws {
        var plain = bytes.bytes
        plain.replaceSubrange(0x7C..<0x7E, with: [0, 0])
        let hasHigh = try extraBytes >= 4
        if hasHigh { plain.replaceSubrange(0x82..<0x84, with: [0, 0]) }
        let sum = CRC32C.update(checksumSeed(superblock), plain)
        guard try UInt16(truncatingIfNeeded: sum) == bytes.u16(0x7C), try !hasHigh || UInt16(sum >> 16) == bytes.u16(0x82) else {
            throw Ext4Damage("the checksum of inode \(number) is wrong")
        }
    }

    /// Bytes after the first 128 that are fields.
    var extraBytes: Int {
        get throws {
            if bytes.count <= 128 { return 0 }
            let extra = Int(try bytes.u16(0x80))
            guard extra <= bytes.count - 128, extra % 4 == 0 else { throw Ext4Damage("inode \(number) has \(extra) bytes of extra fields") }
            return extra
        }
    }

    var format: UInt16 { mode & Format.mask }
    var isFolder: Bool { format == Format.folder }
    var user: UInt32 { get throws { UInt32(try bytes.u16(2)) | UInt32(try bytes.u16(0x78)) << 16 } }
    var group: UInt32 { get throws { UInt32(try bytes.u16(0x18)) | UInt32(try bytes.u16(0x7A)) << 16 } }
    /// The block of extended attributes; 0: none.
    var attributeBlock: UInt64 { get throws { UInt64(try bytes.u32(0x68)) | UInt64(try bytes.u16(0x76)) << 32 } }
    /// The 60 bytes that say where the content is, or are it.
    var blockField: [UInt8] { get throws { try bytes.slice(0x28, 60) } }

    var modified: FileTime {
        get throws {
            let seconds = Int64(Int32(bitPattern: try bytes.u32(0x10)))
            guard try extraBytes >= 12 else { return FileTime(seconds: seconds) }
            let extra = try bytes.u32(0x88)
            // More than a second is what a broken writer left; the kernel shows it as it is.
            return FileTime(seconds: seconds + Int64(extra & 3) << 32, nanoseconds: min(extra >> 2, 999_999_999))
        }
    }

    /// Whether a link's target lies in the block field.
    func isShortLink(_ superblock: Ext4Superblock) throws -> Bool {
        guard size < 60, !flags.contains(.extents), !flags.contains(.inlineData) else { return false }
        let sectors = UInt64(try bytes.u32(0x1C)) | UInt64(try bytes.u16(0x74)) << 32
        return try sectors <= (attributeBlock == 0 ? 0 : UInt64(superblock.blockBytes / 512))
    }

    var device: DeviceNumber {
        get throws {
            let old = try bytes.u32(0x28)
            if old != 0 { return DeviceNumber(major: old >> 8 & 0xFF, minor: old & 0xFF) }
            let new = try bytes.u32(0x2C)
            return DeviceNumber(major: new >> 8 & 0xFFF, minor: new & 0xFF | new >> 12 & 0xFFF00)
        }
    }
}
