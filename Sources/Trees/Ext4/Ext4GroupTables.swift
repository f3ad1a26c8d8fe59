/// Bitmaps and descriptors of a new file system's groups.
struct Ext4GroupTables {
    private(set) var blockBitmaps: [[UInt8]] = []
    private(set) var inodeBitmaps: [[UInt8]] = []
    /// Padded to whole blocks.
    private(set) var descriptors: [UInt8] = []
    private(set) var freeBlocks = 0
    private(set) var freeInodes = 0

    /// No inode of the group is in use, and all of the group's are zero.
    private static let inodesUnused: UInt16 = 0x1
    private static let inodesZeroed: UInt16 = 0x4

    /// - Parameters:
    ///   - usedBlocks: ascending.
    ///   - usedInodes: for each group, how many from its first on.
    init(_ geometry: Ext4Geometry, usedBlocks: [Range<Int>], usedInodes: [Int], folders: [UInt32], checksumSeed: UInt32) {
        let perGroup = Ext4Geometry.blocksPerGroup
        var rest = usedBlocks[...]
        var folderCounts = [Int](repeating: 0, count: geometry.groups)
        for folder in folders { folderCounts[Int(folder - 1) / geometry.inodesPerGroup] += 1 }
        for group in 0..<geometry.groups {
            let start = group * perGroup
            let end = min(geometry.blocks, start + perGroup)
            var bitmap = [UInt8](repeating: 0, count: Ext4Geometry.blockBytes)
            var used = 0
            while let range = rest.first, range.lowerBound < end {
                let part = max(start, range.lowerBound)..<min(end, range.upperBound)
                Self.set(&bitmap, part.lowerBound - start..<part.upperBound - start)
                used += part.count
                if range.upperBound > end { break }
                rest.removeFirst()
            }
            // Blocks past the disk's end are not free.
            Self.set(&bitmap, end - start..<perGroup)
            blockBitmaps.append(bitmap)
            var inodes = [UInt8](repeating: 0, count: Ext4Geometry.blockBytes)
            let isUnused = usedInodes[group] == 0
            if !isUnused {
                Self.set(&inodes, 0..<usedInodes[group])
                Self.set(&inodes, geometry.inodesPerGroup..<Ext4Geometry.blockBytes * 8)
            }
            inodeBitmaps.append(inodes)
            let (blocksLeft, inodesLeft) = (end - start - used, geometry.inodesPerGroup - usedInodes[group])
            freeBlocks += blocksLeft
            freeInodes += inodesLeft

            var bytes = [UInt8](repeating: 0, count: Ext4Geometry.descriptorBytes)
            func put(_ number: Int, _ low: Int, _ high: Int) {
                bytes.put(UInt16(truncatingIfNeeded: number), at: low)
                bytes.put(UInt16(truncatingIfNeeded: number >> 16), at: high)
            }
            for (place, low) in [(geometry.blockBitmaps[group], 0), (geometry.inodeBitmaps[group], 4), (geometry.inodeTables[group], 8)] {
                bytes.put(UInt32(truncatingIfNeeded: place), at: low)
                bytes.put(UInt32(truncatingIfNeeded: place >> 32), at: low + 0x20)
            }
            put(blocksLeft, 0x0C, 0x2C)
            put(inodesLeft, 0x0E, 0x2E)
            put(folderCounts[group], 0x10, 0x30)
            bytes.put(Self.inodesZeroed | (isUnused ? Self.inodesUnused : 0), at: 0x12)
            put(Int(CRC32C.update(checksumSeed, bitmap)), 0x18, 0x38)
            put(isUnused ? 0 : Int(CRC32C.update(checksumSeed, inodes[..<(geometry.inodesPerGroup / 8)])), 0x1A, 0x3A)
            put(inodesLeft, 0x1C, 0x32)
            bytes.put(UInt16(truncatingIfNeeded: CRC32C.update(CRC32C.update(checksumSeed, UInt32(group)), bytes)), at: 0x1E)
            descriptors += bytes
        }
        descriptors += [UInt8](repeating: 0, count: geometry.descriptorBlocks * Ext4Geometry.blockBytes - descriptors.count)
    }

    private static func set(_ bitmap: inout [UInt8], _ bits: Range<Int>) {
        var bit = bits.lowerBound
        while bit < bits.upperBound {
            if bit % 8 == 0, bits.upperBound - bit >= 8 {
                bitmap[bit / 8] = 0xFF
                bit += 8
            } else {
                bitmap[bit / 8] |= 1 << UInt8(bit % 8)
                bit += 1
            }
        }
    }
}
