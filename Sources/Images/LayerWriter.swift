import ChunkStore

/// Takes what a layer changes, in ascending order.
public final class LayerWriter {
    private let writer: ChunkWriter
    private let diskBytes: Int64
    private var last: UInt64?

    init(_ writer: ChunkWriter, diskBytes: Int64) { (self.writer, self.diskBytes) = (writer, diskBytes) }

    /// Sets the chunk `index` to `bytes`, which are copied before this returns; nil: zeroes.
    ///
    /// - Parameter bytes: 65,536 of them, or fewer for the disk's last chunk.
    public func add(_ index: UInt64, _ bytes: UnsafeRawBufferPointer?) throws {
        if let last, index <= last { throw ImageError("invalid", "chunk \(index) comes after \(last): a layer's chunks must ascend") }
        let start = Int64(clamping: index) * Int64(ChunkStore.chunkBytes)
        guard start < diskBytes, let expected = Optional(Int(min(Int64(ChunkStore.chunkBytes), diskBytes - start))), bytes.map({ $0.count == expected }) ?? true
        else {
            throw ImageError("invalid", "chunk \(index) of \(bytes?.count ?? 0) bytes is not on a disk of \(diskBytes) bytes")
        }
        last = index
        try writer.add(index, bytes)
    }
}
