/// Where a new file system's own blocks are. Depends on nothing but the disk's size, the journal's, and the number of files.
struct Ext4Geometry {
    static let blockBytes = 4096
    static let blocksPerGroup = 32768
    static let inodeBytes = 256
    static let descriptorBytes = 64
    static let groupsPerFlex = 16
    /// As `mke2fs -i 16384` has it.
    private static let bytesPerInode = 16384
    private static let inodesPerBlock = blockBytes / inodeBytes
    /// Numbers in a block of them.
    static let numbersPerBlock = blockBytes / 4

    let blocks: Int
    let groups: Int
    let inodesPerGroup: Int
    let descriptorBlocks: Int
    /// Kept for descriptors of groups that come when it grows.
    let reservedDescriptorBlocks: Int
    /// By group: the first block of each.
    private(set) var blockBitmaps: [Int] = []
    private(set) var inodeBitmaps: [Int] = []
    private(set) var inodeTables: [Int] = []
    /// All of these and the copies of superblock and descriptors: ascending, none touching the next.
    private(set) var reserved: [Range<Int>] = []

    var inodeTableBlocks: Int { inodesPerGroup / Self.inodesPerBlock }
    var inodes: Int { inodesPerGroup * groups }

    /// - Parameter files: inodes that it must have beside those of ext4 itself.
    /// - Throws: ``TreeError`` `noSpace`.
    init(size: Int64, files: Int) throws {
        var blocks = Int(size) / Self.blockBytes
        func groups(_ blocks: Int) -> Int { (blocks + Self.blocksPerGroup - 1) / Self.blocksPerGroup }
        /// Enough for the files there are and a quarter more.
        func inodesPerGroup(_ groups: Int) -> Int {
            let wanted = max(Self.blocksPerGroup * Self.blockBytes / Self.bytesPerInode, (files + files / 4 + 64 + groups - 1) / max(1, groups))
            return (wanted + Self.inodesPerBlock - 1) / Self.inodesPerBlock * Self.inodesPerBlock
        }
        func descriptors(_ groups: Int) -> Int { (groups * Self.descriptorBytes + Self.blockBytes - 1) / Self.blockBytes }
        /// So that it can grow a thousandfold, or as far as one block of numbers reaches.
        func spare(_ blocks: Int, _ own: Int) -> Int {
            min(Self.numbersPerBlock, descriptors(groups(min(Int(UInt32.max), blocks * 1024))) - own)
        }
        // A last group that has no room for more than itself is left out.
        if groups(blocks) > 1, blocks % Self.blocksPerGroup != 0 {
            let count = groups(blocks)
            let own = 1 + descriptors(count) + spare(blocks, descriptors(count)) + 2 + inodesPerGroup(count) / Self.inodesPerBlock + 50
            if blocks % Self.blocksPerGroup < own { blocks -= blocks % Self.blocksPerGroup }
        }
        self.blocks = blocks
        self.groups = groups(blocks)
        self.inodesPerGroup = inodesPerGroup(self.groups)
        descriptorBlocks = descriptors(self.groups)
        reservedDescriptorBlocks = spare(blocks, descriptorBlocks)
        guard blocks >= 1024, self.inodesPerGroup <= Self.blockBytes * 8, self.inodesPerGroup * self.groups < 1 << 32 else { throw Self.noSpace(size) }
        try place(size)
    }

    static func noSpace(_ size: Int64) -> TreeError {
        TreeError("noSpace", "the files do not fit on a disk of \(size >> 20) MiB", fix: "give it a larger disk")
    }

    /// Whether a group holds copies of superblock and descriptors.
    static func hasCopy(_ group: Int) -> Bool {
        if group <= 1 { return true }
        return [3, 5, 7].contains { base in
            var power = base
            while power < group { power *= base }
            return power == group
        }
    }

    var groupsWithCopies: [Int] { (0..<groups).filter(Self.hasCopy) }

    private mutating func place(_ size: Int64) throws {
        let copies = groupsWithCopies.map { group in
            let start = group * Self.blocksPerGroup
            return start..<start + 1 + descriptorBlocks + reservedDescriptorBlocks
        }
        guard let last = copies.last, last.upperBound <= blocks else { throw Self.noSpace(size) }
        var taken = copies
        for first in stride(from: 0, to: groups, by: Self.groupsPerFlex) {
            var next = first * Self.blocksPerGroup
            func take(_ count: Int) throws -> Int {
                while let hit = copies.first(where: { $0.overlaps(next..<next + count) }) { next = hit.upperBound }
                guard next + count <= blocks else { throw Self.noSpace(size) }
                taken.append(next..<next + count)
                defer { next += count }
                return next
            }
            let flex = first..<min(groups, first + Self.groupsPerFlex)
            for _ in flex { blockBitmaps.append(try take(1)) }
            for _ in flex { inodeBitmaps.append(try take(1)) }
            for _ in flex { inodeTables.append(try take(inodeTableBlocks)) }
            // What does not fit before the next begins.
            guard next <= min(blocks, flex.upperBound * Self.blocksPerGroup) else { throw Self.noSpace(size) }
        }
        for range in taken.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = reserved.last, last.upperBound == range.lowerBound {
                reserved[reserved.count - 1] = last.lowerBound..<range.upperBound
            } else {
                reserved.append(range)
            }
        }
    }
}
