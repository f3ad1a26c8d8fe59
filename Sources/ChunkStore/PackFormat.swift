import Linux

/// A pack's end: after the zstd frames comes a skippable frame with the digests of their chunks, then the seek table of the zstd seekable format.
///
/// Source: the zstd repository, contrib/seekable_format/zstd_seekable_compression_format.md, version 0.1.0. All numbers are little-endian.
enum PackFormat {
    /// Skippable frame of chunk digests, of our own: `TRRC`, version, then for every frame the number of its chunks, and 32 bytes for each chunk.
    static let digestMagic: UInt32 = 0x184D_2A5D
    static let digestVersion: UInt32 = 1
    static let digestName = Array("TRRC".utf8)
    static let seekTableMagic: UInt32 = 0x184D_2A5E
    static let seekableMagic: UInt32 = 0x8F92_EAB1

    struct Frame: Sendable {
        var compressed: UInt32
        var plain: UInt32
        var chunks: [Digest]
    }

    /// What follows the frames.
    static func tail(_ frames: [Frame]) -> [UInt8] {
        var digests = digestName
        digests.append(digestVersion)
        digests.append(UInt32(frames.count))
        for frame in frames {
            digests.append(UInt32(frame.chunks.count))
            for chunk in frame.chunks { digests += chunk.bytes }
        }
        var tail: [UInt8] = []
        tail.append(digestMagic)
        tail.append(UInt32(digests.count))
        tail += digests
        let digestFrameBytes = UInt32(tail.count)

        var table: [UInt8] = []
        for frame in frames {
            table.append(frame.compressed)
            table.append(frame.plain)
        }
        // The table must account for every byte before it: a frame that decompresses to nothing.
        table.append(digestFrameBytes)
        table.append(UInt32(0))
        table.append(UInt32(frames.count + 1))
        table.append(UInt8(0))  // no checksums in the table: the frames have their own
        table.append(seekableMagic)
        tail.append(seekTableMagic)
        tail.append(UInt32(table.count))
        return tail + table
    }

    /// The frames of the pack in `file`, and where each begins; nil when it is no pack of ours.
    static func read(_ file: Descriptor, bytes: Int64) throws -> [(offset: Int64, frame: Frame)]? {
        try read(bytes: bytes) { offset, count in
            try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]), at: offset)
            }
        }
    }

    /// As ``read(_:bytes:)``, of a pack of which `part` gives bytes.
    static func read(bytes: Int64, part: (_ offset: Int64, _ count: Int) throws -> [UInt8]) throws -> [(offset: Int64, frame: Frame)]? {
        guard bytes >= 17 else { return nil }
        let footer = try part(bytes - 9, 9)
        guard footer.count == 9, footer.word(5) == seekableMagic, footer[4] == 0 else { return nil }
        let entries = Int(footer.word(0))
        let tableBytes = entries * 8 + 9
        guard entries >= 1, entries < 1 << 22, Int64(tableBytes) + 8 <= bytes else { return nil }
        let table = try part(bytes - Int64(tableBytes) - 8, tableBytes + 8)
        guard table.word(0) == seekTableMagic, Int(table.word(4)) == tableBytes else { return nil }
        let sizes = (0..<entries).map { (compressed: table.word(8 + $0 * 8), plain: table.word(12 + $0 * 8)) }
        guard let last = sizes.last, last.plain == 0, sizes.reduce(0, { $0 + Int64($1.compressed) }) + Int64(tableBytes) + 8 == bytes else { return nil }
        let digests = try part(bytes - Int64(tableBytes) - 8 - Int64(last.compressed), Int(last.compressed))
        guard digests.count >= 20, digests.word(0) == digestMagic, Array(digests[8..<12]) == digestName, digests.word(12) == digestVersion,
            Int(digests.word(16)) == entries - 1
        else { return nil }
        var result: [(Int64, Frame)] = []
        var at = 20
        var offset: Int64 = 0
        for (compressed, plain) in sizes.dropLast() {
            guard at + 4 <= digests.count else { return nil }
            let count = Int(digests.word(at))
            at += 4
            guard count >= 1, count <= 64, at + count * 32 <= digests.count else { return nil }
            let chunks = (0..<count).compactMap { Digest(bytes: digests[(at + $0 * 32)..<(at + $0 * 32 + 32)]) }
            at += count * 32
            result.append((offset, Frame(compressed: compressed, plain: plain, chunks: chunks)))
            offset += Int64(compressed)
        }
        return result
    }
}

extension [UInt8] {
    mutating func append(_ word: UInt32) { for shift in stride(from: 0, to: 32, by: 8) { append(UInt8(truncatingIfNeeded: word >> UInt32(shift))) } }

    func word(_ offset: Int) -> UInt32 { withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) } }
}
