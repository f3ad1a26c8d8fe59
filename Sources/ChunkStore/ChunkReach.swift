/// What some chunks amount to: their plain bytes, each as often as it is there, and those of the frames that they are in, each once. Chunks come and
/// go, so that what one image reaches is found from what another does.
public struct ChunkReach {
    private let store: ChunkStore
    /// How many times each chunk is there.
    private var chunks: [UInt32: Int] = [:]
    /// How many of the chunks are in each frame.
    private var frames: [FrameCache.Key: Int] = [:]
    /// What has come and what has gone since ``takeAdded()``.
    private var new: Set<UInt32> = []
    private var gone: Set<UInt32> = []
    public private(set) var plainBytes: Int64 = 0
    public private(set) var storedBytes: Int64 = 0

    public init(_ store: ChunkStore) { self.store = store }

    public mutating func add(_ number: UInt32) throws {
        let count = chunks[number, default: 0]
        let location = try store.location(number)
        plainBytes += Int64(location.bytes)
        if count == 0 {
            let before = frames[location.frameKey, default: 0]
            frames[location.frameKey] = before + 1
            if before == 0 { storedBytes += Int64(location.length) }
            if gone.remove(number) == nil { new.insert(number) }
        }
        chunks[number] = count + 1
    }

    /// Takes away what was added.
    public mutating func remove(_ number: UInt32) throws {
        guard let count = chunks[number] else { return }
        chunks[number] = count == 1 ? nil : count - 1
        let location = try store.location(number)
        plainBytes -= Int64(location.bytes)
        if count > 1 { return }
        let left = frames[location.frameKey, default: 1] - 1
        frames[location.frameKey] = left == 0 ? nil : left
        if left == 0 { storedBytes -= Int64(location.length) }
        if new.remove(number) == nil { gone.insert(number) }
    }

    /// Bytes of the frames that hold chunks which are there now and were not when this was called before.
    public mutating func takeAdded() throws -> Int64 {
        var places: Set<FrameCache.Key> = []
        var bytes: Int64 = 0
        for number in new {
            let location = try store.location(number)
            if places.insert(location.frameKey).inserted { bytes += Int64(location.length) }
        }
        (new, gone) = ([], [])
        return bytes
    }
}
