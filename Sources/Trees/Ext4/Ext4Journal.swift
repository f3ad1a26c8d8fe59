/// Reads what an unclean journal holds: which blocks of the disk are to be what its log says.
///
/// https://www.kernel.org/doc/html/latest/filesystems/ext4/journal.html; what is done is what `fs/jbd2/recovery.c` does. Numbers are big-endian.
struct Ext4Journal {
    private static let magic: UInt32 = 0xC03B_3998

    private struct Features: OptionSet {
        let rawValue: UInt32
        static let revokes = Self(rawValue: 1)
        static let wide = Self(rawValue: 2)
        static let asynchronous = Self(rawValue: 4)
        static let checksums2 = Self(rawValue: 8)
        static let checksums3 = Self(rawValue: 0x10)
    }

    private enum Kind {
        static let descriptor: UInt32 = 1
        static let commit: UInt32 = 2
        static let revocation: UInt32 = 5
    }

    private enum TagFlag {
        static let escaped: UInt32 = 1
        static let sameUUID: UInt32 = 2
        static let last: UInt32 = 8
    }

    /// Where in the log a block's new content lies.
    struct Change {
        /// In bytes of the disk.
        var source: Int64
        /// Its first four bytes are the log's own mark, which the log cannot hold.
        var isEscaped: Bool
    }

    private let volume: Ext4Volume
    /// The journal's blocks on the disk.
    private let places: [UInt64]
    private let features: Features
    private let seed: UInt32
    private let first: Int
    private let end: Int
    private let start: Int
    private let sequence: UInt32

    /// - Throws: ``Ext4Damage``, ``TreeError`` `needsRecovery` for a journal that is not understood.
    init(_ volume: Ext4Volume) throws {
        self.volume = volume
        func unknown(_ cause: String) -> TreeError {
            TreeError(
                "needsRecovery", "the ext4 file system was not unmounted, and its journal cannot be read here", cause: cause,
                fix: "`e2fsck -fy` on a copy of the disk puts in place what it holds")
        }
        guard volume.superblock.journalInode != 0 else { throw unknown("it is on another device") }
        let inode = try volume.inode(volume.superblock.journalInode)
        let extents = try Ext4BlockMap.extents(of: inode, volume)
        let count = extents.reduce(0) { $0 + $1.count }
        guard count <= 1 << 20 else { throw unknown("it has \(count) blocks") }
        var next: UInt64 = 0
        var places: [UInt64] = []
        for extent in extents {
            guard extent.logical == next else { throw Ext4Damage("the journal has a hole") }
            places += (0..<extent.count).map { extent.physical + $0 }
            next += extent.count
        }
        guard let head = places.first else { throw Ext4Damage("the journal is empty") }
        let header = try volume.block(head, "the journal")
        guard try header.big32(0) == Self.magic, try header.big32(4) == 4, Int(try header.big32(12)) == volume.superblock.blockBytes else {
            throw Ext4Damage("the journal does not begin as one does")
        }
        features = Features(rawValue: try header.big32(0x28))
        let strange = features.subtracting([.revokes, .wide, .asynchronous, .checksums2, .checksums3])
        guard strange.isEmpty else { throw unknown("it has the features 0x\(String(strange.rawValue, radix: 16))") }
        seed = CRC32C.update(.max, try header.slice(0x30, 16))
        (first, end, start) = (Int(try header.big32(0x14)), Int(try header.big32(0x10)), Int(try header.big32(0x1C)))
        sequence = try header.big32(0x18)
        guard first >= 1, end > first, end <= places.count, start == 0 || (start >= first && start < end) else {
            throw Ext4Damage("the journal's numbers are out of range")
        }
        self.places = places
    }

    private var hasChecksums: Bool { !features.isDisjoint(with: [.checksums2, .checksums3]) }

    /// All changes of transactions that were committed, by block of the disk.
    func changes() throws -> [UInt64: Change] {
        if start == 0 { return [:] }
        var changes: [UInt64: Change] = [:]
        var revoked: [UInt64: UInt32] = [:]
        var found: [(sequence: UInt32, blocks: [(block: UInt64, change: Change)])] = []
        var pending: [(block: UInt64, change: Change)] = []
        var pendingRevocations: [UInt64] = []
        var (position, expected, read) = (start, sequence, 0)
        /// The next block of the log; nil when all of it was read.
        func take() throws -> UInt64? {
            guard read < end - first else { return nil }
            defer {
                position = position + 1 == end ? first : position + 1
                read += 1
            }
            return places[position]
        }
        scan: while let place = try take() {
            let block = try volume.block(place, "the journal")
            guard try block.big32(0) == Self.magic, try block.big32(8) == expected else { break }
            switch try block.big32(4) {
            case Kind.descriptor:
                guard try isWhole(block, tail: block.count - 4) else { break scan }
                for tag in try tags(block) {
                    guard let data = try take() else { break scan }
                    let change = Change(source: Int64(data) * Int64(volume.superblock.blockBytes), isEscaped: tag.flags & TagFlag.escaped != 0)
                    pending.append((tag.block, change))
                }
            case Kind.revocation:
                guard try isWhole(block, tail: block.count - 4) else { break scan }
                let used = min(Int(try block.big32(12)), block.count)
                for at in stride(from: 16, through: used - (features.contains(.wide) ? 8 : 4), by: features.contains(.wide) ? 8 : 4) {
                    pendingRevocations.append(
                        features.contains(.wide) ? UInt64(try block.big32(at)) << 32 | UInt64(try block.big32(at + 4)) : UInt64(try block.big32(at)))
                }
            case Kind.commit:
                guard try isWhole(block, tail: 16) else { break scan }
                found.append((expected, pending))
                for block in pendingRevocations { revoked[block] = expected }
                (pending, pendingRevocations) = ([], [])
                expected &+= 1
            default: break scan
            }
        }
        for transaction in found {
            for (block, change) in transaction.blocks where revoked[block].map({ Int32(bitPattern: transaction.sequence &- $0) > 0 }) ?? true {
                guard block < volume.superblock.blocks else { throw Ext4Damage("the journal has a change of block \(block), which is not on the disk") }
                changes[block] = change
            }
        }
        return changes
    }

    /// Whether a block of the log has its own checksum; one that has not was never committed.
    private func isWhole(_ block: Ext4Bytes, tail: Int) throws -> Bool {
        guard hasChecksums else { return true }
        var plain = block.bytes
        plain.replaceSubrange(tail..<tail + 4, with: [0, 0, 0, 0])
        return try CRC32C.update(seed, plain) == block.big32(tail)
    }

    private func tags(_ block: Ext4Bytes) throws -> [(block: UInt64, flags: UInt32)] {
        let isThird = features.contains(.checksums3)
        let size = isThird ? 16 : 8 + (features.contains(.checksums2) ? 2 : 0) + (features.contains(.wide) ? 4 : 0)
        let limit = block.count - (hasChecksums ? 4 : 0)
        var result: [(block: UInt64, flags: UInt32)] = []
        var at = 12
        while at + size <= limit {
            let flags = isThird ? try block.big32(at + 4) : try block.big32(at + 4) & 0xFFFF
            let high = features.contains(.wide) ? UInt64(try block.big32(at + 8)) << 32 : 0
            result.append((high | UInt64(try block.big32(at)), flags))
            at += size + (flags & TagFlag.sameUUID == 0 ? 16 : 0)
            if flags & TagFlag.last != 0 { break }
        }
        return result
    }
}

/// A disk as it is when its journal's changes are in place. The disk itself is not touched.
struct RecoveredDisk: FileContent {
    let base: any FileContent
    let blockBytes: Int64
    let changes: [UInt64: Ext4Journal.Change]

    var size: Int64 { base.size }
    func dataRanges() -> [Range<Int64>] { [0..<size] }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        try base.read(into: buffer, at: offset)
        let end = offset + Int64(buffer.count)
        var position = offset
        while position < end {
            let block = position / blockBytes
            let stop = min(end, (block + 1) * blockBytes)
            if let change = changes[UInt64(block)] {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(position - offset)..<Int(stop - offset)])
                let inside = position - block * blockBytes
                try base.read(into: part, at: change.source + inside)
                if change.isEscaped {
                    for index in inside..<max(inside, min(4, inside + Int64(part.count))) {
                        part[Int(index - inside)] = [0xC0, 0x3B, 0x39, 0x98][Int(index)]
                    }
                }
            }
            position = stop
        }
    }
}
