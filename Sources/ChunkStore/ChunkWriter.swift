import Foundation
import GRDB
import Glibc
import Linux
import Synchronization

/// Takes chunks, and packs those that the store does not have: hashed and compressed on all cores, behind the one who adds them.
///
/// One thread uses it. It holds the store's writers' lock: nothing that it counts on is removed meanwhile.
public final class ChunkWriter {
    /// Chunks that are worked on together.
    private static let batchChunks = 256

    private let store: ChunkStore
    private let level: Int32
    private let lock: FileLock
    private var batch: ChunkBatch
    private var worker: PlainThread?
    private let working: WorkingState
    /// How many chunks and bytes came, and how many were new.
    public private(set) var totals = Totals()

    public struct Totals: Sendable {
        public var chunks = 0
        public var newChunks = 0
        /// Bytes of the packs that were written.
        public var storedBytes: Int64 = 0
    }

    /// What only the worker touches while it runs, and the owner after it has joined it.
    private final class WorkingState: @unchecked Sendable {
        var known: Set<Digest> = []
        var pack: PackWriter?
        let publisher = PackPublisher()
        var contexts: [Zstandard.Context] = []
        var digests: [(index: UInt64, digest: Digest?)] = []
        var totals = Totals()
        var failure: (any Error)?
    }

    public init(_ store: ChunkStore, level: Int32) throws {
        (self.store, self.level) = (store, level)
        lock = try store.writerLock()
        batch = ChunkBatch(capacity: Self.batchChunks)
        working = WorkingState()
        for _ in allCores() { working.contexts.append(try Zstandard.Context()) }
    }

    /// Takes the chunk `index`: its bytes, which are copied, or zeroes when nil.
    public func add(_ index: UInt64, _ bytes: UnsafeRawBufferPointer?) throws {
        batch.append(index, bytes)
        if batch.isFull { try hand() }
    }

    /// Gives the full batch to the worker, when that has done the one before.
    private func hand() throws {
        try awaitWorker()
        let full = batch
        batch = ChunkBatch(capacity: Self.batchChunks)
        let (store, level, working) = (store, level, working)
        worker = try PlainThread {
            do { try Self.process(full, store, level, working) } catch { working.failure = error }
        }
    }

    private func awaitWorker() throws {
        worker?.join()
        worker = nil
        if let failure = working.failure { throw failure }
    }

    /// Waits until all that came is hashed and compressed. It is durable only after ``commit(_:_:)``.
    ///
    /// - Returns: the chunks in the order in which they came; nil for zeroes.
    public func drain() throws -> [(index: UInt64, digest: Digest?)] {
        if !batch.isEmpty { try hand() }
        try awaitWorker()
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
        let prepared = try small.map { try store.blobs.prepare($0) }
        var blobs = prepared.compactMap { entry in entry.blob.map { (blob: $0, digest: entry.digest) } }
        if let pack { blobs.append((pack.blob, pack.digest)) }
        try BlobFolder.publish(blobs)
        try store.index.write { database in
            if let pack { try ChunkIndex.add(pack: pack.digest, bytes: pack.bytes, pack.frames, database) }
            try body(database)
        }
        working.totals.storedBytes += pack?.bytes ?? 0
        totals = working.totals
        return prepared.map(\.digest)
    }

    /// ``commit(_:_:)`` of chunks alone.
    public func finish() throws -> [(index: UInt64, digest: Digest?)] {
        let chunks = try drain()
        try commit()
        return chunks
    }

    deinit {
        worker?.join()
        working.publisher.join()
    }

    // MARK: the worker

    private static func process(_ batch: ChunkBatch, _ store: ChunkStore, _ level: Int32, _ state: WorkingState) throws {
        let digests = batch.hashAll(threads: state.contexts.count)
        for (entry, digest) in zip(batch.entries, digests) { state.digests.append((entry.index, digest)) }
        state.totals.chunks += digests.count
        let wanted = Set(digests.compactMap { $0 }).subtracting(state.known)
        if !wanted.isEmpty { state.known.formUnion(try store.index.numbers(of: wanted).keys) }
        // Frames of consecutive new chunks.
        var frames: [[Int]] = []
        var last: UInt64?
        for (position, digest) in digests.enumerated() {
            guard let digest, state.known.insert(digest).inserted else { continue }
            let index = batch.entries[position].index
            let isFull = frames.last.map { $0.count >= ChunkStore.frameChunks || batch.entries[$0[$0.count - 1]].bytes.count < ChunkStore.chunkBytes } ?? true
            if !isFull, let before = last, index == before + 1 { frames[frames.count - 1].append(position) } else { frames.append([position]) }
            last = index
        }
        if frames.isEmpty { return }
        let compressed = try batch.compress(frames, level: level, contexts: state.contexts)
        for (frame, bytes) in zip(frames, compressed) {
            let pack = try state.pack ?? PackWriter(in: store.blobs)
            state.pack = pack
            let plain = frame.reduce(0) { $0 + batch.entries[$1].bytes.count }
            try bytes.withUnsafeBytes { try pack.append($0, plain: plain, frame.compactMap { digests[$0] }) }
            state.totals.newChunks += frame.count
            if pack.bytes >= ChunkStore.packBytes {
                state.pack = nil
                let closed = try pack.close()
                state.totals.storedBytes += closed.bytes
                try state.publisher.publish(closed, into: store.index)
            }
        }
    }
}

/// Makes full packs durable behind the compression, one at a time: a sync of 64 MiB takes as long as compressing as much.
///
/// Unchecked: one thread at a time uses it, and the box it hands over is the other thread's until that is joined.
private final class PackPublisher: @unchecked Sendable {
    private struct Box: @unchecked Sendable {
        let pack: ClosedPack
    }
    private var thread: PlainThread?
    private let failure = Mutex<(any Error)?>(nil)

    func publish(_ pack: ClosedPack, into index: ChunkIndex) throws {
        try wait()
        let box = Box(pack: pack)
        thread = try PlainThread { [self] in
            do { try box.pack.publish(into: index) } catch { failure.withLock { $0 = error } }
        }
    }

    /// Until the last one is durable.
    func wait() throws {
        join()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    func join() {
        thread?.join()
        thread = nil
    }
}

/// Chunks side by side in memory.
///
/// Unchecked: filled by one thread, then only read.
final class ChunkBatch: @unchecked Sendable {
    struct Entry {
        var index: UInt64
        /// Where its bytes are; empty for zeroes.
        var bytes: Range<Int>
    }
    private let memory: UnsafeMutableRawBufferPointer
    private let capacity: Int
    private(set) var entries: [Entry] = []
    private var used = 0

    init(capacity: Int) {
        self.capacity = capacity
        memory = .allocate(byteCount: capacity * ChunkStore.chunkBytes, alignment: 4096)
        entries.reserveCapacity(capacity)
    }

    deinit { memory.deallocate() }

    var isFull: Bool { entries.count == capacity }
    var isEmpty: Bool { entries.isEmpty }

    func append(_ index: UInt64, _ bytes: UnsafeRawBufferPointer?) {
        let count = bytes?.count ?? 0
        precondition(count <= ChunkStore.chunkBytes && !isFull, "a chunk has at most 64 KiB")
        if let bytes { UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + count]).copyMemory(from: bytes) }
        entries.append(Entry(index: index, bytes: used..<used + count))
        used += count
    }

    private func part(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[range]) }

    /// The digest of each; nil for zeroes.
    func hashAll(threads: Int) -> [Digest?] {
        let results = Results<Digest?>(count: entries.count, nil)
        spread(entries.count, threads) { [self] index, _ in
            let bytes = part(entries[index].bytes)
            results[index] = isZero(bytes) ? nil : Digest.of(bytes)
        }
        return results.values
    }

    private func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first else { return true }
        // Compared with itself, one byte on.
        return first == 0 && (bytes.count == 1 || bytes.baseAddress.map { memcmp($0, $0 + 1, bytes.count - 1) == 0 } ?? true)
    }

    /// One zstd frame for each of `frames`, whose chunks lie side by side.
    func compress(_ frames: [[Int]], level: Int32, contexts: [Zstandard.Context]) throws -> [[UInt8]] {
        let results = Results<[UInt8]>(count: frames.count, [])
        let failure = Mutex<StoreError?>(nil)
        spread(frames.count, contexts.count) { [self] index, thread in
            let frame = frames[index]
            do {
                let range = entries[frame[0]].bytes.lowerBound..<entries[frame[frame.count - 1]].bytes.upperBound
                results[index] = try Zstandard.compress(part(range), level: level, with: contexts[thread])
            } catch let error as StoreError {
                failure.withLock { $0 = error }
            } catch {
                failure.withLock { $0 = StoreError("internal", "\(error)") }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        return results.values
    }
}
