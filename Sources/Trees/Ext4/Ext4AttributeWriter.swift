/// Lays out a file's extended attributes: all in the inode when they fit there, else all in a block.
struct Ext4AttributeWriter {
    private struct Entry {
        var index: UInt8
        var name: [UInt8]
        var value: [UInt8]
        /// As ext4 sorts them.
        static func precedes(_ a: Entry, _ b: Entry) -> Bool {
            if a.index != b.index { return a.index < b.index }
            return a.name.count != b.name.count ? a.name.count < b.name.count : ByteString(a.name) < ByteString(b.name)
        }
        var hash: UInt32 {
            var hash: UInt32 = 0
            for byte in name { hash = hash << 5 ^ hash >> 27 ^ UInt32(byte) }
            for start in stride(from: 0, to: value.count, by: 4) {
                var word: UInt32 = 0
                for index in start..<min(start + 4, value.count) { word |= UInt32(value[index]) << UInt32((index - start) * 8) }
                hash = hash << 16 ^ hash >> 16 ^ word
            }
            return hash
        }
        var headBytes: Int { (16 + name.count + 3) & ~3 }
        var valueBytes: Int { (value.count + 3) & ~3 }
    }

    private let entries: [Entry]

    /// - Throws: ``TreeError`` `unsupported` for one that ext4 has no room or no place for.
    init(_ attributes: [ByteString: [UInt8]], _ path: ByteString) throws {
        entries = try attributes.map { name, value in
            guard let (index, prefix) = Self.prefix(of: name) else {
                throw TreeError("unsupported", "/\(path) has the attribute `\(name)`, for which ext4 has no place", fix: "remove it: setfattr -x NAME FILE")
            }
            var value = value
            if index == 2 || index == 3 {
                do { value = try PosixACL.disk(fromLinux: value) } catch let damage as Ext4Damage {
                    throw TreeError("corrupt", "the access control list of /\(path) cannot be written", cause: damage.cause, fix: "set it anew with setfacl")
                }
            }
            return Entry(index: UInt8(index), name: Array(name.bytes[prefix...]), value: value)
        }.sorted(by: Entry.precedes)
        guard Self.bytes(entries) <= Ext4Geometry.blockBytes - 32 else {
            throw TreeError(
                "unsupported", "the extended attributes of /\(path) have \(Self.bytes(entries)) bytes, and ext4 has room for \(Ext4Geometry.blockBytes - 32)",
                fix: "remove some of them: setfattr -x NAME FILE")
        }
    }

    private static func prefix(of name: ByteString) -> (index: Int, length: Int)? {
        for (index, prefix) in Ext4Attributes.prefixes.sorted(by: { $0.prefix.utf8.count > $1.prefix.utf8.count }) where name.bytes.starts(with: prefix.utf8) {
            let length = prefix.utf8.count
            if prefix.hasSuffix(".") ? name.count > length : name.count == length { return name == Ext4Attributes.inlineData ? nil : (index, length) }
        }
        return nil
    }

    /// With the four bytes that end the list.
    private static func bytes(_ entries: [Entry]) -> Int { entries.reduce(4) { $0 + $1.headBytes + $1.valueBytes } }

    var isEmpty: Bool { entries.isEmpty }

    /// The bytes that follow an inode's fields; nil when they do not fit.
    func inInode(_ room: Int) -> [UInt8]? {
        guard !entries.isEmpty, Self.bytes(entries) <= room - 4 else { return nil }
        var bytes = [UInt8](repeating: 0, count: room)
        bytes.put(Ext4Attributes.magic, at: 0)
        fill(&bytes, first: 4, base: 4)
        return bytes
    }

    /// A block of them, which is to be number `number`.
    func block(_ number: Int, seed: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Ext4Geometry.blockBytes)
        bytes.put(Ext4Attributes.magic, at: 0)
        bytes.put(UInt32(1), at: 4)
        bytes.put(UInt32(1), at: 8)
        bytes.put(entries.reduce(UInt32(0)) { $0 << 16 ^ $0 >> 16 ^ $1.hash }, at: 12)
        fill(&bytes, first: 32, base: 0)
        bytes.put(CRC32C.update(CRC32C.update(seed, UInt64(number)), bytes), at: 16)
        return bytes
    }

    private func fill(_ bytes: inout [UInt8], first: Int, base: Int) {
        var (at, end) = (first, bytes.count)
        for entry in entries {
            end -= entry.valueBytes
            bytes[at] = UInt8(entry.name.count)
            bytes[at + 1] = entry.index
            bytes.put(UInt16(entry.value.isEmpty ? 0 : end - base), at: at + 2)
            bytes.put(UInt32(entry.value.count), at: at + 8)
            bytes.put(entry.hash, at: at + 12)
            bytes.replaceSubrange(at + 16..<at + 16 + entry.name.count, with: entry.name)
            bytes.replaceSubrange(end..<end + entry.value.count, with: entry.value)
            at += entry.headBytes
        }
    }
}
