import Synchronization

/// A disk with ext4 on it: finds inodes and blocks. Any number of threads use it at once.
final class Ext4Volume: Sendable {
    let disk: any FileContent
    let superblock: Ext4Superblock
    /// Where each group's inodes are, in blocks.
    private let inodeTables: [UInt64]
    private let windows = Mutex(Windows())
    /// Blocks that files may still claim: more than the disk has only a liar does.
    private let budget: Mutex<UInt64>

    /// Metadata lies close together, and is read in pieces of one chunk.
    private struct Windows {
        static let bytes: Int64 = 65536
        static let limit = 512
        var content: [Int64: [UInt8]] = [:]
        var order: [Int64] = []
        var oldest = 0
    }

    init(_ disk: any FileContent) throws {
        self.disk = disk
        let size = disk.size
        guard size >= Ext4Superblock.offset + Int64(Ext4Superblock.bytes) else {
            throw TreeError("notExt4", "the disk holds no ext2, ext3 or ext4 file system", cause: "it has \(size) bytes")
        }
        var raw = [UInt8](repeating: 0, count: Ext4Superblock.bytes)
        try raw.withUnsafeMutableBytes { try disk.read(into: $0, at: Ext4Superblock.offset) }
        let superblock = try Ext4Superblock(raw)
        guard superblock.blocks <= UInt64(size) / UInt64(superblock.blockBytes) else {
            throw Ext4Damage("it should have \(superblock.blocks) blocks of \(superblock.blockBytes) bytes, the disk has \(size) bytes")
        }
        self.superblock = superblock
        budget = Mutex(superblock.blocks)
        inodeTables = try Self.inodeTables(superblock, disk)
    }

    private static func inodeTables(_ superblock: Ext4Superblock, _ disk: any FileContent) throws -> [UInt64] {
        let perBlock = UInt64(superblock.blockBytes / superblock.descriptorBytes)
        let tableBlocks =
            (UInt64(superblock.inodesPerGroup) * UInt64(superblock.inodeBytes) + UInt64(superblock.blockBytes) - 1) / UInt64(superblock.blockBytes)
        var tables: [UInt64] = []
        var raw = [UInt8](repeating: 0, count: superblock.blockBytes)
        // Groups whose inodes nobody uses need no look; there are never more groups than inodes would fill.
        let groups = min(superblock.groups, (UInt64(superblock.inodes) + UInt64(superblock.inodesPerGroup) - 1) / UInt64(superblock.inodesPerGroup))
        for group in 0..<groups {
            if group % perBlock == 0 {
                let block = descriptorBlock(group / perBlock, superblock, perBlock)
                guard block < superblock.blocks else { throw Ext4Damage("the descriptor of group \(group) is not on the disk") }
                try raw.withUnsafeMutableBytes { try disk.read(into: $0, at: Int64(block) * Int64(superblock.blockBytes)) }
            }
            let start = Int(group % perBlock) * superblock.descriptorBytes
            let descriptor = Ext4Bytes(Array(raw[start..<start + superblock.descriptorBytes]), "the descriptor of group \(group)")
            if superblock.hasChecksums {
                var plain = descriptor.bytes
                plain.replaceSubrange(0x1E..<0x20, with: [0, 0])
                let sum = CRC32C.update(CRC32C.update(superblock.checksumSeed, UInt32(truncatingIfNeeded: group)), plain)
                guard try UInt16(truncatingIfNeeded: sum) == descriptor.u16(0x1E) else {
                    throw Ext4Damage("the checksum of group \(group)'s descriptor is wrong")
                }
            }
            let table = UInt64(try descriptor.u32(8)) | (superblock.descriptorBytes >= 64 ? UInt64(try descriptor.u32(0x28)) << 32 : 0)
            guard table > superblock.firstBlock, table < superblock.blocks, tableBlocks <= superblock.blocks - table else {
                throw Ext4Damage("the inodes of group \(group) should be at block \(table), which is not on the disk")
            }
            tables.append(table)
        }
        return tables
    }

    /// Where the `index`th block of group descriptors is.
    private static func descriptorBlock(_ index: UInt64, _ superblock: Ext4Superblock, _ perBlock: UInt64) -> UInt64 {
        guard superblock.incompatible.contains(.metaGroups), index >= UInt64(superblock.firstMetaGroup) else { return superblock.firstBlock + 1 + index }
        let group = index * perBlock
        let start = superblock.firstBlock + group * UInt64(superblock.blocksPerGroup)
        return start + (superblock.hasBackup(group) ? 1 : 0) + (superblock.blockBytes == 1024 && group == 0 && superblock.firstBlock == 0 ? 1 : 0)
    }

    /// Takes a file's blocks from those that all files may have together.
    func claim(_ blocks: UInt64) throws {
        let isThere = budget.withLock { budget in
            if blocks > budget { return false }
            budget -= blocks
            return true
        }
        guard isThere else { throw Ext4Damage("its files have more blocks than the disk: some are in several files at once") }
    }

    /// Metadata.
    func read(at offset: Int64, _ count: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            let position = offset + Int64(result.count)
            let window = position / Windows.bytes
            let inside = Int(position % Windows.bytes)
            let bytes = try self.window(window)
            let part = bytes[min(inside, bytes.count)..<min(bytes.count, inside + count - result.count)]
            guard !part.isEmpty else { throw Ext4Damage("byte \(position) is not on the disk") }
            result += part
        }
        return result
    }

    private func window(_ window: Int64) throws -> [UInt8] {
        if let known = windows.withLock({ $0.content[window] }) { return known }
        let start = window * Windows.bytes
        guard window >= 0, start < disk.size else { throw Ext4Damage("byte \(start) is not on the disk") }
        var bytes = [UInt8](repeating: 0, count: Int(min(Windows.bytes, disk.size - start)))
        try bytes.withUnsafeMutableBytes { try disk.read(into: $0, at: start) }
        windows.withLock { windows in
            guard windows.content.updateValue(bytes, forKey: window) == nil else { return }
            if windows.order.count < Windows.limit {
                windows.order.append(window)
            } else {
                windows.content[windows.order[windows.oldest]] = nil
                windows.order[windows.oldest] = window
                windows.oldest = (windows.oldest + 1) % Windows.limit
            }
        }
        return bytes
    }

    func block(_ number: UInt64, _ name: String) throws -> Ext4Bytes {
        guard number > 0, number < superblock.blocks else { throw Ext4Damage("\(name) should be in block \(number), which is not on the disk") }
        return Ext4Bytes(try read(at: Int64(number) * Int64(superblock.blockBytes), superblock.blockBytes), name)
    }

    func inode(_ number: UInt32) throws -> Ext4Inode {
        guard number > 0, number <= superblock.inodes, (number - 1) / superblock.inodesPerGroup < inodeTables.count else {
            throw Ext4Damage("there is no inode \(number) on the disk")
        }
        let table = inodeTables[Int((number - 1) / superblock.inodesPerGroup)]
        let index = Int64((number - 1) % superblock.inodesPerGroup)
        let offset = Int64(table) * Int64(superblock.blockBytes) + index * Int64(superblock.inodeBytes)
        let raw = try read(at: offset, superblock.inodeBytes)
        guard raw.contains(where: { $0 != 0 }) else { throw Ext4Damage("inode \(number) is not in use") }
        return try Ext4Inode(number, raw, superblock)
    }
}
