/// The content beneath a disk's overlays, in 64 KiB chunks: an image, or bytes in memory.
///
/// Any number of threads call it at once. What it says never changes while it lives, and chunks past its end are zeroes.
public protocol ChunkSource: Sendable {
    /// Copies bytes of chunk `index`, from `offset` in the chunk on, into all of `buffer`, which never reaches past the chunk.
    func read(_ index: UInt64, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws
    /// Makes the coming reads of these chunks cheap; blocks while it does, and keeps its troubles for the read.
    func prefetch(_ indexes: Range<UInt64>)
    /// Whether the chunk is known to be zeroes without a look at its bytes; `false` when not sure.
    func isZero(_ index: UInt64) -> Bool
}

extension ChunkSource {
    public func prefetch(_ indexes: Range<UInt64>) {}
    public func isZero(_ index: UInt64) -> Bool { false }
}

/// A disk's units: overlays work in blocks, images in chunks.
enum DiskUnit {
    static let block = 4096
    static let blockShift: Int64 = 12
    static let chunk = 65536
    static let chunkShift: Int64 = 16
    static let blocksPerChunk = 16

    /// How many blocks `bytes` reach into.
    static func blocks(_ bytes: Int64) -> Int { Int((bytes + Int64(block) - 1) >> blockShift) }
    static func roundDown(_ offset: Int64) -> Int64 { offset & ~Int64(block - 1) }
    static func roundUp(_ offset: Int64) -> Int64 { (offset + Int64(block) - 1) & ~Int64(block - 1) }
}
