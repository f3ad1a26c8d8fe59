import Foundation
import GRDB
import Linux

/// Takes frames as another store has them: each is decompressed and checked, and then kept as it came.
///
/// Any number of threads add at once. It holds the store's writers' lock: nothing that it counts on is removed meanwhile. Packs are published as they
/// are filled, so that who is killed has what came before: all but the last 4 MiB, or what came in the last second if that is more.
///
/// Unchecked: what changes is guarded by the lock.
public final class FrameImport: @unchecked Sendable {
    /// What is in an unfinished pack is fetched again after a kill: the slower frames come, the smaller it is.
    private static let packBytes: ClosedRange<Int64> = 4 << 20...64 << 20
    private static let packTime: Duration = .seconds(1)
    private let store: ChunkStore
    private let writers: FileLock
    private let decompressors = Decompressors()
    private let lock = NSLock()
    private var pack: PackWriter?
    private var begun = ContinuousClock.now

    public init(_ store: ChunkStore) throws { (self.store, writers) = (store, try store.writerLock()) }

    /// - Throws: ``StoreError`` `corrupt` when the frame does not hold exactly these chunks; nothing is kept of it.
    public func add(_ compressed: UnsafeRawBufferPointer, _ frame: PackTable.Frame) throws {
        try withUnsafeTemporaryAllocation(byteCount: frame.plain, alignment: 16) { plain in
            try decompressors.with { try $0.decompress(compressed, into: plain) }
            for (index, chunk) in frame.chunks.enumerated() {
                let start = index * ChunkStore.chunkBytes
                let bytes = UnsafeRawBufferPointer(rebasing: plain[start..<min(plain.count, start + ChunkStore.chunkBytes)])
                guard Digest.of(bytes) == chunk else { throw StoreError("corrupt", "a frame does not hold the chunk \(chunk)") }
            }
        }
        try lock.withLock {
            if pack == nil { (pack, begun) = (try PackWriter(in: store.blobs), ContinuousClock.now) }
            guard let pack else { return }
            try pack.append(compressed, plain: frame.plain, frame.chunks)
            let isSlow = pack.bytes >= Self.packBytes.lowerBound && ContinuousClock.now - begun >= Self.packTime
            if pack.bytes >= Self.packBytes.upperBound || isSlow {
                self.pack = nil
                try pack.close().publish(into: store.index)
            }
        }
    }

    /// Makes everything durable at once: the last pack, small blobs beside it, and then what `body` does to the index.
    public func commit(_ small: [[UInt8]], _ body: (Database) throws -> Void) throws {
        let pack = try lock.withLock {
            defer { self.pack = nil }
            return try self.pack?.close()
        }
        _ = try store.publish(pack, small, body)
    }
}
