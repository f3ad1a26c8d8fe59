/// Reads extended attributes: https://www.kernel.org/doc/html/latest/filesystems/ext4/dynamic.html#extended-attributes
struct Ext4Attributes {
    /// As Linux bounds them.
    static let largestValue = 65536
    /// Of all files together.
    private static let largestTotal = 256 << 20
    static let magic: UInt32 = 0xEA02_0000
    /// Name indexes, with the prefixes that they stand for.
    static let prefixes: [(index: Int, prefix: String)] = [
        (1, "user."), (2, "system.posix_acl_access"), (3, "system.posix_acl_default"), (4, "trusted."), (6, "security."), (7, "system."), (8, "system.richacl"),
    ]
    /// Where a file with inline data keeps what does not fit the inode's own bytes; nobody sees it as an attribute.
    static let inlineData: ByteString = "system.data"

    let volume: Ext4Volume
    /// Many files share a block.
    private var blocks: [UInt64: [ByteString: [UInt8]]] = [:]
    private var values: [UInt32: [UInt8]] = [:]
    private var total = 0

    init(_ volume: Ext4Volume) { self.volume = volume }

    /// All of an inode's, with ``inlineData`` among them.
    mutating func attributes(of inode: Ext4Inode) throws -> [ByteString: [UInt8]] {
        var result: [ByteString: [UInt8]] = [:]
        let start = 128 + (try inode.extraBytes)
        if inode.bytes.count >= start + 4, try inode.extraBytes > 0, try inode.bytes.u32(start) == Self.magic {
            result = try entries(Ext4Bytes(inode.bytes.slice(start + 4, inode.bytes.count - start - 4), "the attributes of inode \(inode.number)"), at: 0)
        }
        let block = try inode.attributeBlock
        if block != 0 {
            let shared = try blocks[block] ?? read(block)
            blocks[block] = shared
            try result.merge(shared) { _, _ in throw Ext4Damage("inode \(inode.number) has an attribute twice") }
        }
        return result
    }

    private mutating func read(_ number: UInt64) throws -> [ByteString: [UInt8]] {
        let block = try volume.block(number, "the attributes in block \(number)")
        guard try block.u32(0) == Self.magic, try block.u32(8) == 1 else { throw Ext4Damage("block \(number) should hold attributes, and does not") }
        if volume.superblock.hasChecksums {
            var plain = block.bytes
            plain.replaceSubrange(16..<20, with: [0, 0, 0, 0])
            guard try CRC32C.update(CRC32C.update(volume.superblock.checksumSeed, number), plain) == block.u32(16) else {
                throw Ext4Damage("the checksum of the attributes in block \(number) is wrong")
            }
        }
        return try entries(block, at: 32)
    }

    /// - Parameter bytes: what offsets of values count from the start of.
    private mutating func entries(_ bytes: Ext4Bytes, at first: Int) throws -> [ByteString: [UInt8]] {
        var result: [ByteString: [UInt8]] = [:]
        var at = first
        while at <= bytes.count - 4, try bytes.u32(at) != 0 {
            let length = try bytes.u8(at)
            let index = try bytes.u8(at + 1)
            let size = Int(try bytes.u32(at + 8))
            let holder = try bytes.u32(at + 4)
            guard size <= Self.largestValue else { throw Ext4Damage("\(bytes.name) hold one of \(size) bytes") }
            let rest = try bytes.slice(at + 16, length)
            let prefix = index == 0 ? "" : Self.prefixes.first { $0.index == index }?.prefix
            at += (16 + length + 3) & ~3
            guard !rest.contains(0) else { throw Ext4Damage("\(bytes.name) have a name with a NUL in it") }
            // Lustre's, say: nobody sees them through Linux.
            guard let prefix else { continue }
            let raw = holder == 0 ? try bytes.slice(Int(bytes.u16(at - ((16 + length + 3) & ~3) + 2)), size) : try value(holder, size)
            let name = ByteString(Array(prefix.utf8) + rest)
            guard !name.isEmpty, name.count <= 255 else { throw Ext4Damage("\(bytes.name) have a name of \(name.count) bytes") }
            total += raw.count + name.count + 64
            guard total <= Self.largestTotal else {
                throw TreeError("tooLarge", "the file system has more than \(Self.largestTotal >> 20) MiB of extended attributes")
            }
            guard result.updateValue(index == 2 || index == 3 ? try PosixACL.linux(fromDisk: raw) : raw, forKey: name) == nil else {
                throw Ext4Damage("\(bytes.name) have `\(name)` twice")
            }
        }
        return result
    }

    /// One that is so large that it is a file of its own.
    private mutating func value(_ number: UInt32, _ size: Int) throws -> [UInt8] {
        if let known = values[number], known.count == size { return known }
        let inode = try volume.inode(number)
        guard inode.flags.contains(.attributeValue), inode.size == Int64(size) else {
            throw Ext4Damage("inode \(number) should hold an attribute, and does not")
        }
        let value = try Ext4FileContent(volume, inode).bytes(limit: Self.largestValue)
        values[number] = value
        return value
    }
}

/// Access control lists, which ext4 keeps shorter than Linux tells them.
enum PosixACL {
    /// Entries that name a user or a group.
    private static let named: Set<UInt16> = [2, 8]

    static func linux(fromDisk disk: [UInt8]) throws -> [UInt8] {
        let bytes = Ext4Bytes(disk, "an access control list")
        guard try bytes.u32(0) == 1 else { throw Ext4Damage("an access control list is not in order") }
        var result: [UInt8] = [2, 0, 0, 0]
        var at = 4
        while at < disk.count {
            let isNamed = Self.named.contains(try bytes.u16(at))
            result += try bytes.slice(at, isNamed ? 8 : 4)
            if !isNamed { result += [0xFF, 0xFF, 0xFF, 0xFF] }
            at += isNamed ? 8 : 4
        }
        return result
    }

    /// - Throws: ``Ext4Damage`` for bytes that are no list.
    static func disk(fromLinux list: [UInt8]) throws -> [UInt8] {
        let bytes = Ext4Bytes(list, "an access control list")
        guard try bytes.u32(0) == 2, list.count % 8 == 4 else { throw Ext4Damage("an access control list is not in order") }
        var result: [UInt8] = [1, 0, 0, 0]
        for at in stride(from: 4, to: list.count, by: 8) { result += try bytes.slice(at, Self.named.contains(bytes.u16(at)) ? 8 : 4) }
        return result
    }
}
