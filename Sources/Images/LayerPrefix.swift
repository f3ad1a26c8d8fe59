import ChunkStore

/// What an image's disk held when only its first layers were there. Any number of threads use it at once.
public final class LayerPrefix: Sendable {
    /// How many layers; at least 1.
    public let layers: Int
    private let store: ChunkStore
    /// By place; 0: zeroes.
    private let numbers: [UInt64: UInt32]

    fileprivate init(layers: Int, store: ChunkStore, numbers: [UInt64: UInt32]) { (self.layers, self.store, self.numbers) = (layers, store, numbers) }

    /// Copies bytes of the chunk at `index`, from `offset` in it on, into all of `buffer`.
    public func read(_ index: UInt64, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard let number = numbers[index], number != 0 else {
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        try store.read(number, into: buffer, at: offset)
    }

    public func isZero(_ index: UInt64) -> Bool { numbers[index, default: 0] == 0 }
}

extension ImageStore {
    /// Calls `body` with an image's disk as it was after each of its layers, the oldest first, whether the images that ended there are in the store or not.
    ///
    /// - Throws: ``ImageError`` `corrupt` when a layer's chunk is not in the store, or what `body` throws.
    public func forEachPrefix(of image: Image, _ body: (LayerPrefix) throws -> Void) throws {
        var places: [UInt64: UInt32] = [:]
        // `gc` leaves its chunks alone meanwhile.
        try hold(image)
        for (count, blob) in try layers(of: image).enumerated() {
            try lay(blob, over: &places, of: "layer \(count + 1) of the image \(image.digest)")
            try body(LayerPrefix(layers: count + 1, store: chunks, numbers: places))
        }
    }
}

extension ImageReader {
    /// Whether both have the same chunk there, told without reading it. The two are of one store.
    public func holdsTheSame(as other: ImageReader, at index: UInt64) -> Bool {
        // A map that cannot be read knows nothing, and the read tells why.
        guard let mine = try? map.number(at: index), let theirs = try? other.map.number(at: index) else { return false }
        return mine == theirs && store === other.store
    }
}
