/// Where a file's blocks are.
struct Ext4Extent: Hashable, Sendable {
    /// In blocks of the file.
    var logical: UInt64
    /// In blocks of the disk.
    var physical: UInt64
    var count: UInt64
}

/// Finds the blocks of one inode, by extents or by the block map of ext2.
struct Ext4BlockMap {
    let reader: Ext4Volume
    let inode: Ext4Inode
    private var extents: [Ext4Extent] = []
    private var mapped: UInt64 = 0
    /// Blocks read to find others; a file that lists the same one over and over would keep us for years.
    private var visited: UInt64 = 0
    private var end: UInt64 { (UInt64(inode.size) + UInt64(reader.superblock.blockBytes) - 1) / UInt64(reader.superblock.blockBytes) }

    private init(_ reader: Ext4Volume, _ inode: Ext4Inode) { (self.reader, self.inode) = (reader, inode) }

    /// What is stored, ascending; blocks past the file's end and those that were never written are left out.
    static func extents(of inode: Ext4Inode, _ reader: Ext4Volume) throws -> [Ext4Extent] {
        var map = Ext4BlockMap(reader, inode)
        let field = Ext4Bytes(try inode.blockField, "the block map of inode \(inode.number)")
        if inode.flags.contains(.extents) {
            var next: UInt64 = 0
            _ = try map.addNode(field, depth: nil, limit: 1 << 32, next: &next)
        } else {
            var next: UInt64 = 0
            for slot in 0..<12 { try map.addBlock(UInt64(field.u32(slot * 4)), levels: 0, at: &next) }
            for levels in 1...3 { try map.addBlock(UInt64(field.u32((11 + levels) * 4)), levels: levels, at: &next) }
        }
        return map.extents
    }

    private mutating func add(_ logical: UInt64, _ physical: UInt64, _ count: UInt64) throws {
        guard physical > 0, physical < reader.superblock.blocks, count <= reader.superblock.blocks - physical else {
            throw Ext4Damage("block \(logical) of inode \(inode.number) should be block \(physical), which is not on the disk")
        }
        guard logical < end else { return }
        let used = min(count, end - logical)
        mapped += used
        guard mapped <= reader.superblock.blocks else { throw Ext4Damage("inode \(inode.number) has more blocks than the disk") }
        if let last = extents.last, last.logical + last.count == logical, last.physical + last.count == physical {
            extents[extents.count - 1].count += used
        } else {
            extents.append(Ext4Extent(logical: logical, physical: physical, count: used))
        }
    }

    private mutating func visit(_ block: UInt64) throws -> Ext4Bytes {
        visited += 1
        guard visited <= reader.superblock.blocks else { throw Ext4Damage("the block map of inode \(inode.number) goes in circles") }
        return try reader.block(block, "the block map of inode \(inode.number)")
    }

    // MARK: extents

    /// - Parameters:
    ///   - depth: what the node above says; nil for the root.
    ///   - next: the first block of the file that may still come.
    private mutating func addNode(_ node: Ext4Bytes, depth: Int?, limit: UInt64, next: inout UInt64) throws {
        let entries = Int(try node.u16(2))
        let own = Int(try node.u16(6))
        guard try node.u16(0) == 0xF30A, entries <= (node.count - 12) / 12, own <= 5, depth == nil || (own == depth && entries > 0) else {
            throw Ext4Damage("the extents of inode \(inode.number) are not in order")
        }
        for entry in 0..<entries {
            let at = 12 + entry * 12
            let logical = UInt64(try node.u32(at))
            guard logical >= next, logical < limit else { throw Ext4Damage("the extents of inode \(inode.number) are not in order") }
            if own == 0 {
                let length = UInt64(try node.u16(at + 4))
                let count = length > 32768 ? length - 32768 : length
                let physical = UInt64(try node.u32(at + 8)) | UInt64(try node.u16(at + 6)) << 32
                guard count > 0, logical + count <= limit else { throw Ext4Damage("the extents of inode \(inode.number) are not in order") }
                // Allocated, never written: zeroes.
                if length <= 32768 { try add(logical, physical, count) }
                next = logical + count
            } else {
                let child = UInt64(try node.u32(at + 4)) | UInt64(try node.u16(at + 8)) << 32
                let bound = entry + 1 < entries ? UInt64(try node.u32(at + 12)) : limit
                guard bound <= limit, bound > logical else { throw Ext4Damage("the extents of inode \(inode.number) are not in order") }
                next = logical
                let bytes = try visit(child)
                try verify(bytes)
                try addNode(bytes, depth: own - 1, limit: bound, next: &next)
            }
        }
    }

    private func verify(_ node: Ext4Bytes) throws {
        guard reader.superblock.hasChecksums else { return }
        let tail = 12 + 12 * Int(try node.u16(4))
        guard tail <= node.count - 4, try CRC32C.update(inode.checksumSeed(reader.superblock), node.bytes[..<tail]) == node.u32(tail) else {
            throw Ext4Damage("the checksum of the extents of inode \(inode.number) is wrong")
        }
    }

    // MARK: the block map of ext2

    private mutating func addBlock(_ block: UInt64, levels: Int, at next: inout UInt64) throws {
        let perBlock = UInt64(reader.superblock.blockBytes / 4)
        let span = (0..<levels).reduce(UInt64(1)) { total, _ in total * perBlock }
        if block == 0 || next >= end {
            next += span
            return
        }
        if levels == 0 {
            try add(next, block, 1)
            next += 1
            return
        }
        let table = try visit(block)
        for slot in 0..<Int(perBlock) { try addBlock(UInt64(table.u32(slot * 4)), levels: levels - 1, at: &next) }
    }
}
