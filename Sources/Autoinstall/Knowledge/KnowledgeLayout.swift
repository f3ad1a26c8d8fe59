import Disks

/// The bytes of an index of packages; Docs/formats/knowledge.md has a dump.
enum KnowledgeLayout {
    static let magic: [UInt8] = Array("TRNKNOW1".utf8)
    static let version: UInt32 = 1
    static let headerSize = 64
    /// Offset, length and sum of a block.
    static let blockEntrySize = 16

    static func write(_ blocks: [[UInt8]], packages: [String], made: UInt64) -> [UInt8] {
        let blockStart = headerSize + blocks.count * blockEntrySize
        let packageStart = blockStart + blocks.reduce(0) { $0 + $1.count }
        var table: [UInt8] = []
        var offset = UInt32(blockStart)
        for block in blocks {
            append(offset, to: &table)
            append(UInt32(block.count), to: &table)
            append(sum(block), to: &table)
            offset += UInt32(block.count)
        }
        var names: [UInt8] = []
        var places: [UInt8] = []
        let nameStart = packageStart + packages.count * 4
        for name in packages {
            append(UInt32(nameStart + names.count), to: &places)
            let bytes = Array(name.utf8.prefix(255))
            append(UInt16(truncatingIfNeeded: sum(bytes)), to: &names)
            names.append(UInt8(bytes.count))
            names += bytes
        }
        var header = magic
        append(version, to: &header)
        append(UInt32(blocks.count), to: &header)
        append(UInt32(packages.count), to: &header)
        append(UInt32(0), to: &header)
        append(made, to: &header)
        append(UInt64(packageStart), to: &header)
        append(UInt64(nameStart + names.count), to: &header)
        append(sum(table), to: &header)
        append(sum(header), to: &header)
        return header + table + blocks.joined() + places + names
    }

    static func sum(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { XXHash64.hash($0) } }

    private static func append<T: FixedWidthInteger>(_ value: T, to bytes: inout [UInt8]) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }

    /// A number of seven bits a byte, the lowest first; the highest bit says that more follow.
    static func append(_ number: Int, to bytes: inout [UInt8]) {
        var rest = UInt(bitPattern: number)
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
