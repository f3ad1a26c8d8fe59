/// What a pack says at its end of the frames before it, read from that end alone.
public struct PackTable: Sendable {
    public struct Frame: Sendable {
        /// Where it is in the pack.
        public let offset: Int64
        public let compressed: Int
        public let plain: Int
        public let chunks: [Digest]
    }
    public let frames: [Frame]

    /// - Parameters:
    ///   - tail: what follows the frames.
    ///   - bytes: of the whole pack.
    /// - Throws: ``StoreError`` `corrupt` for what is no end of a pack of ours.
    public init(tail: [UInt8], bytes: Int64) throws {
        let start = bytes - Int64(tail.count)
        let read = try PackFormat.read(bytes: bytes) { offset, count in
            guard offset >= start, offset - start + Int64(count) <= Int64(tail.count) else {
                throw StoreError("corrupt", "a pack's end is longer than was said")
            }
            let first = Int(offset - start)
            return Array(tail[first..<first + count])
        }
        guard let read, read.last.map({ $0.offset + Int64($0.frame.compressed) }) ?? 0 == start else {
            throw StoreError("corrupt", "a pack does not end as one of ours")
        }
        frames = try read.map { offset, frame in
            let full = (frame.chunks.count - 1) * ChunkStore.chunkBytes
            // What does not compress is stored with a few bytes around it; all of a frame is in memory at once.
            let most = Int(frame.plain) + ChunkStore.chunkBytes
            guard (1...most).contains(Int(frame.compressed)), Int(frame.plain) > full, Int(frame.plain) <= full + ChunkStore.chunkBytes else {
                throw StoreError("corrupt", "a pack has a frame of \(frame.plain) bytes for \(frame.chunks.count) chunks, and \(frame.compressed) compressed")
            }
            return Frame(offset: offset, compressed: Int(frame.compressed), plain: Int(frame.plain), chunks: frame.chunks)
        }
    }
}
