import Synchronization

/// What a file of an ext4 disk holds.
public final class Ext4FileContent: FileContent {
    public let size: Int64
    private let volume: Ext4Volume
    private let inode: UInt32
    private let map: Mutex<Map>

    private enum Map {
        /// Not looked for yet.
        case unknown
        case found([Ext4Extent])
    }

    init(_ volume: Ext4Volume, _ inode: Ext4Inode) {
        (self.volume, self.inode, size) = (volume, inode.number, inode.size)
        map = Mutex(.unknown)
    }

    private func extents() throws -> [Ext4Extent] {
        try map.withLock { map in
            if case .found(let extents) = map { return extents }
            do {
                let extents = try Ext4BlockMap.extents(of: volume.inode(inode), volume)
                try volume.claim(extents.reduce(0) { $0 + $1.count })
                map = .found(extents)
                return extents
            } catch let damage as Ext4Damage { throw damage.error("a file of the ext4 file system") }
        }
    }

    /// Ranges of the disk that hold it, each with where it lies in the file: bytes.
    public func places() throws -> [(offset: Int64, disk: Range<Int64>)] {
        let block = Int64(volume.superblock.blockBytes)
        return try extents().map { extent in
            let start = Int64(extent.logical) * block
            let length = min(Int64(extent.count) * block, size - start)
            let place = Int64(extent.physical) * block
            return (start, place..<place + length)
        }
    }

    /// Trouble with it comes up when it is read.
    public var position: Int64? { try? places().first?.disk.lowerBound }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        var done: Int64 = 0
        let wanted = Int64(buffer.count)
        func zero(until end: Int64) {
            if end > done { UnsafeMutableRawBufferPointer(rebasing: buffer[Int(done)..<Int(end)]).initializeMemory(as: UInt8.self, repeating: 0) }
            done = max(done, end)
        }
        for place in try places() {
            let length = Int64(place.disk.count)
            if place.offset + length <= offset { continue }
            if place.offset >= offset + wanted { break }
            zero(until: max(0, place.offset - offset))
            let skipped = offset + done - place.offset
            let count = min(length - skipped, wanted - done)
            try volume.disk.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[Int(done)..<Int(done + count)]), at: place.disk.lowerBound + skipped)
            done += count
        }
        zero(until: wanted)
    }

    /// Two files are the same when they lie at the same places of disks that are the same there.
    public func isKnownEqual(to other: any FileContent, _ range: Range<Int64>) throws -> Bool {
        guard let other = other as? Ext4FileContent, range == 0..<size, size == other.size else { return false }
        let (mine, theirs) = (try places(), try other.places())
        return try mine.count == theirs.count
            && zip(mine, theirs).allSatisfy { try $0.offset == $1.offset && $0.disk == $1.disk && volume.disk.isKnownEqual(to: other.volume.disk, $0.disk) }
    }

    public func dataRanges() throws -> [Range<Int64>] {
        var ranges: [Range<Int64>] = []
        for place in try places() {
            let end = place.offset + Int64(place.disk.count)
            if let last = ranges.last, last.upperBound == place.offset {
                ranges[ranges.count - 1] = last.lowerBound..<end
            } else {
                ranges.append(place.offset..<end)
            }
        }
        return ranges
    }
}
