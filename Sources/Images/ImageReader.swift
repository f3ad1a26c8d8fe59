import ChunkStore

/// What an image's disk holds, chunk by chunk. Any number of threads use it at once.
public final class ImageReader: Sendable {
    let store: ChunkStore
    let map: ImageMap
    private let image: Digest
    public let virtualBytes: Int64

    init(store: ChunkStore, map: ImageMap, image: Image) {
        (self.store, self.map, self.image, virtualBytes) = (store, map, image.digest, image.virtualBytes)
    }

    /// Copies bytes of the chunk at `index`, from `offset` in it on, into all of `buffer`. What is past the disk's end is zero.
    public func read(_ index: UInt64, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        let number = try map.number(at: index)
        if number == 0 {
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        do { try store.read(number, into: buffer, at: offset) } catch let error as StoreError {
            throw ImageError(error.code, "chunk \(index) of the image \(image) cannot be read", cause: "\(error.message): \(error.cause ?? "")", fix: error.fix)
        }
    }

    /// Decompresses what these chunks are in; troubles are kept for the read.
    public func prefetch(_ indexes: Range<UInt64>) {
        // The read tells what is wrong with the map.
        store.prefetch(indexes.compactMap { try? map.number(at: $0) }.filter { $0 != 0 })
    }

    /// Whether the chunk is known to be zeroes; a map that cannot be read knows nothing, and the read tells why.
    public func isZero(_ index: UInt64) -> Bool { (try? map.number(at: index)) == 0 }
}
