/// An inode that is to be written.
struct Ext4InodeRecord {
    var mode: UInt16
    var links: UInt16
    var user: UInt32 = 0
    var group: UInt32 = 0
    var size: UInt64 = 0
    /// Blocks of the disk that it takes, those of its map and attributes counted.
    var blocks: UInt64 = 0
    var flags: Ext4Inode.Flags = []
    /// 60 bytes.
    var field = [UInt8](repeating: 0, count: 60)
    var modified: FileTime
    /// Seconds since 1970: when it was made, last changed and last read.
    var epoch: Int64
    var attributeBlock = 0
    /// What follows the fields.
    var attributes: [UInt8] = []

    static let extraBytes = 32
    static let attributeRoom = Ext4Geometry.inodeBytes - 128 - extraBytes

    /// - Parameter seed: of the inode's own checksums.
    func encoded(seed: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Ext4Geometry.inodeBytes)
        bytes.put(mode, at: 0)
        bytes.put(UInt16(truncatingIfNeeded: user), at: 2)
        bytes.put(UInt32(truncatingIfNeeded: size), at: 4)
        put(FileTime(seconds: epoch), 0x08, 0x8C, &bytes)
        put(FileTime(seconds: epoch), 0x0C, 0x84, &bytes)
        put(modified, 0x10, 0x88, &bytes)
        put(FileTime(seconds: epoch), 0x90, 0x94, &bytes)
        bytes.put(UInt16(truncatingIfNeeded: group), at: 0x18)
        bytes.put(links, at: 0x1A)
        bytes.put(UInt32(truncatingIfNeeded: blocks * 8), at: 0x1C)
        bytes.put(flags.rawValue, at: 0x20)
        bytes.replaceSubrange(0x28..<0x28 + 60, with: field)
        bytes.put(UInt32(truncatingIfNeeded: attributeBlock), at: 0x68)
        bytes.put(UInt32(truncatingIfNeeded: size >> 32), at: 0x6C)
        bytes.put(UInt16(truncatingIfNeeded: blocks * 8 >> 32), at: 0x74)
        bytes.put(UInt16(truncatingIfNeeded: attributeBlock >> 32), at: 0x76)
        bytes.put(UInt16(truncatingIfNeeded: user >> 16), at: 0x78)
        bytes.put(UInt16(truncatingIfNeeded: group >> 16), at: 0x7A)
        bytes.put(UInt16(Self.extraBytes), at: 0x80)
        let start = 128 + Self.extraBytes
        if !attributes.isEmpty { bytes.replaceSubrange(start..<start + attributes.count, with: attributes) }
        let sum = CRC32C.update(seed, bytes)
        bytes.put(UInt16(truncatingIfNeeded: sum), at: 0x7C)
        bytes.put(UInt16(sum >> 16), at: 0x82)
        return bytes
    }

    private func put(_ time: FileTime, _ at: Int, _ extra: Int, _ bytes: inout [UInt8]) {
        // From 1901 to 2446, as far as ext4 counts.
        let seconds = min(max(time.seconds, Int64(Int32.min)), Int64(Int32.max) + 3 << 32)
        let low = Int32(truncatingIfNeeded: seconds)
        bytes.put(low, at: at)
        bytes.put(time.nanoseconds << 2 | UInt32((seconds - Int64(low)) >> 32 & 3), at: extra)
    }

    /// The block field of a device.
    static func field(_ device: DeviceNumber) -> [UInt8] {
        var field = [UInt8](repeating: 0, count: 60)
        if device.major < 256, device.minor < 256 {
            field.put(device.major << 8 | device.minor, at: 0)
        } else {
            field.put(device.minor & 0xFF | device.major << 8 | (device.minor & ~0xFF) << 12, at: 4)
        }
        return field
    }
}
