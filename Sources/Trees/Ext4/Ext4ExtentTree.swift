/// Writes down where a file's blocks are.
struct Ext4ExtentTree {
    private static let largestRun: UInt64 = 32768
    /// Entries in a block, before its checksum.
    private static let perBlock = (Ext4Geometry.blockBytes - 16) / 12

    /// The 60 bytes for the inode.
    private(set) var root: [UInt8] = []
    /// Further blocks, with their content.
    private(set) var blocks: [(number: Int, bytes: [UInt8])] = []

    /// - Parameters:
    ///   - extents: ascending.
    ///   - seed: of the inode's checksums.
    init(_ extents: [Ext4Extent], seed: UInt32, _ allocator: inout Ext4Allocator) throws {
        var entries: [[UInt8]] = []
        var firsts: [UInt64] = []
        for extent in extents {
            var done: UInt64 = 0
            while done < extent.count {
                let count = min(Self.largestRun, extent.count - done)
                let physical = extent.physical + done
                var entry: [UInt8] = []
                entry.append(little: UInt32(extent.logical + done))
                entry.append(little: UInt16(count))
                entry.append(little: UInt16(truncatingIfNeeded: physical >> 32))
                entry.append(little: UInt32(truncatingIfNeeded: physical))
                entries.append(entry)
                firsts.append(extent.logical + done)
                done += count
            }
        }
        var depth: UInt16 = 0
        while entries.count > 4 {
            var (above, aboveFirsts): ([[UInt8]], [UInt64]) = ([], [])
            for start in stride(from: 0, to: entries.count, by: Self.perBlock) {
                let end = min(entries.count, start + Self.perBlock)
                var bytes = Self.header(end - start, Self.perBlock, depth) + entries[start..<end].joined()
                bytes += [UInt8](repeating: 0, count: Ext4Geometry.blockBytes - bytes.count)
                let tail = 12 + Self.perBlock * 12
                bytes.put(CRC32C.update(seed, bytes[..<tail]), at: tail)
                let number = try allocator.takeOne()
                blocks.append((number, bytes))
                var entry: [UInt8] = []
                entry.append(little: UInt32(firsts[start]))
                entry.append(little: UInt32(truncatingIfNeeded: number))
                entry.append(little: UInt32(number >> 32))
                above.append(entry)
                aboveFirsts.append(firsts[start])
            }
            (entries, firsts) = (above, aboveFirsts)
            depth += 1
        }
        root = Self.header(entries.count, 4, depth) + entries.joined()
        root += [UInt8](repeating: 0, count: 60 - root.count)
    }

    private static func header(_ entries: Int, _ most: Int, _ depth: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [0xF30A, UInt16(entries), UInt16(most), depth, 0, 0] { bytes.append(little: number) }
        return bytes
    }
}
