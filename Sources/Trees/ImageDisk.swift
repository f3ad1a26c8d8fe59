import Disks
import Images

/// An image's disk, as bytes.
public struct ImageDisk: FileContent {
    private static let chunk: Int64 = 65536
    private let chunks: any ChunkSource
    public let size: Int64

    public init(_ chunks: any ChunkSource, size: Int64) { (self.chunks, self.size) = (chunks, size) }

    /// What an image's disk holds.
    public init(_ image: Image, in images: ImageStore) throws { self.init(try images.reader(of: image), size: image.virtualBytes) }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        var done = 0
        while done < buffer.count {
            let position = offset + Int64(done)
            let inside = Int(position % Self.chunk)
            let count = min(Int(Self.chunk) - inside, buffer.count - done)
            try chunks.read(UInt64(position / Self.chunk), into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count]), at: inside)
            done += count
        }
    }

    public func isKnownEqual(to other: any FileContent, _ range: Range<Int64>) -> Bool {
        guard let mine = chunks as? ImageReader, let theirs = (other as? ImageDisk)?.chunks as? ImageReader else { return false }
        let indexes = UInt64(range.lowerBound / Self.chunk)...UInt64(max(range.lowerBound, range.upperBound - 1) / Self.chunk)
        return indexes.allSatisfy { mine.holdsTheSame(as: theirs, at: $0) }
    }

    public func dataRanges() -> [Range<Int64>] {
        var ranges: [Range<Int64>] = []
        for index in 0..<UInt64((size + Self.chunk - 1) / Self.chunk) where !chunks.isZero(index) {
            let range = Int64(index) * Self.chunk..<min(size, Int64(index + 1) * Self.chunk)
            if let last = ranges.last, last.upperBound == range.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
            } else {
                ranges.append(range)
            }
        }
        return ranges
    }
}

extension Image {
    /// Its files, read without mounting it.
    ///
    /// - Throws: ``TreeError``, as ``Ext4Reader`` does, or what reading the image throws.
    public func tree(in images: ImageStore) throws -> FileTree { try Ext4Reader(ImageDisk(self, in: images)).tree() }
}
