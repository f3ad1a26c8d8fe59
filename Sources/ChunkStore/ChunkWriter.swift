import Foundation
import GRDB
import Linux
import Synchronization

/// Takes chunks, and packs those that the store does not have: hashed and compressed on all cores, behind the one who adds them.
///
/// One thread uses it. It holds the store's writers' lock: nothing that it counts on is removed meanwhile.
public final class ChunkWriter {
    private let store: ChunkStore
    private let lock: FileLock
    private var batch = ChunkBatch()
    private let working: WorkingState
    /// Hashes and compresses; writes what the other has compressed.
    private let compressing: Stage<ChunkBatch>
    private let writing: Stage<ChunkBatch>
    /// How many chunks and bytes came, and how many were new.
    public private(set) var totals = Totals()

    public struct Totals: Sendable {
        public var chunks = 0
        public var newChunks = 0
        /// Bytes of the packs that were written.
        public var storedBytes: Int64 = 0
    }

    /// What the stages work with, each with its own, and the owner after they have drained.
    private final class WorkingState: @unchecked Sendable {
        let contexts: [Zstandard.Context]
        var known: Set<Digest> = []
        var digests: [(index: UInt64, digest: Digest?)] = []
        var newChunks = 0

        var pack: PackWriter?
        let publisher = PackPublisher()
        var storedBytes: Int64 = 0

        /// Batches to be used again.
        let spare = Mutex<[ChunkBatch]>([])

        init() throws { contexts = try allCores().map { _ in try Zstandard.Context() } }
    }

    public init(_ store: ChunkStore, level: Int32) throws {
        self.store = store
        lock = try store.writerLock()
        let working = try WorkingState()
        let writing = try Stage<ChunkBatch>(capacity: 1) { batch in
            try Self.write(batch, store, working)
            batch.clear()
            working.spare.withLock { $0.append(batch) }
        }
        self.working = working
        self.writing = writing
        compressing = try Stage(capacity: 1) { batch in
            try Self.compress(batch, store, level, working)
            try writing.give(batch)
        }
    }

    /// Takes the chunk `index`: its bytes, which are copied, or zeroes when nil.
    public func add(_ index: UInt64, _ bytes: UnsafeRawBufferPointer?) throws {
        batch.append(index, bytes)
        if batch.isFull { try hand() }
    }

    /// Gives the batch to the stages.
    private func hand() throws {
        try compressing.give(batch)
        batch = working.spare.withLock { $0.popLast() } ?? ChunkBatch()
    }

    /// Waits until all that came is hashed and compressed. It is durable only after ``commit(_:_:)``.
    ///
    /// - Returns: the chunks in the order in which they came; nil for zeroes.
    public func drain() throws -> [(index: UInt64, digest: Digest?)] {
        if !batch.isEmpty { try hand() }
        try compressing.drain()
        try writing.drain()
        return working.digests
    }

    /// Makes everything durable at once: the last pack, small blobs beside it, and then what `body` does to the index.
    ///
    /// - Returns: the digests of `small`.
    @discardableResult
    public func commit(_ small: [[UInt8]] = [], _ body: (Database) throws -> Void = { _ in }) throws -> [Digest] {
        _ = try drain()
        try working.publisher.wait()
        let pack = try working.pack?.close()
        working.pack = nil
        let published = try store.publish(pack, small, body)
        working.storedBytes += pack?.bytes ?? 0
        totals = Totals(chunks: working.digests.count, newChunks: working.newChunks, storedBytes: working.storedBytes)
        return published
    }

    /// ``commit(_:_:)`` of chunks alone.
    public func finish() throws -> [(index: UInt64, digest: Digest?)] {
        let chunks = try drain()
        try commit()
        return chunks
    }

    deinit {
        // The one that gives first, so that the other has room for what it gives.
        compressing.stop()
        writing.stop()
        working.publisher.join()
    }

    // MARK: the stages

    private static func compress(_ batch: ChunkBatch, _ store: ChunkStore, _ level: Int32, _ state: WorkingState) throws {
        let digests = batch.hashAll(threads: state.contexts.count)
        for (entry, digest) in zip(batch.entries, digests) { state.digests.append((entry.index, digest)) }
        let wanted = Set(digests.compactMap { $0 }).subtracting(state.known)
        if !wanted.isEmpty { state.known.formUnion(try store.index.numbers(of: wanted).keys) }
        // Frames of consecutive new chunks.
        var frames: [Range<Int>] = []
        for (position, digest) in digests.enumerated() {
            guard let digest, state.known.insert(digest).inserted else { continue }
            state.newChunks += 1
            if let last = frames.last, last.upperBound == position, last.count < ChunkStore.frameChunks,
                batch.entries[position - 1].bytes.count == ChunkStore.chunkBytes, batch.entries[position - 1].index + 1 == batch.entries[position].index
            {
                frames[frames.count - 1] = last.lowerBound..<position + 1
            } else {
                frames.append(position..<position + 1)
            }
        }
        try batch.compress(frames, digests, level: level, contexts: state.contexts)
    }

    private static func write(_ batch: ChunkBatch, _ store: ChunkStore, _ state: WorkingState) throws {
        for frame in batch.frames {
            let pack = try state.pack ?? PackWriter(in: store.blobs)
            state.pack = pack
            try pack.append(batch.bytes(of: frame), plain: frame.plain, frame.chunks)
            if pack.bytes >= ChunkStore.packBytes {
                state.pack = nil
                let closed = try pack.close()
                state.storedBytes += closed.bytes
                try state.publisher.publish(closed, into: store.index)
            }
        }
    }
}
