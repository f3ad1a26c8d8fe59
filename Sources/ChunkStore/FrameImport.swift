import Foundation
import GRDB
import Linux

/// Takes frames as another store has them: each is decompressed and checked, and then kept as it came.
///
/// Any number of threads add at once. It holds the store's writers' lock: nothing that it counts on is removed meanwhile. Packs are published as they
/// are filled, so that who is killed has what came before.
///
/// Unchecked: what changes is guarded by the lock.
public final class FrameImport: @unchecked Sendable {
    /// Smaller than elsewhere: what is in an unfinished one is fetched again after a kill.
    private static let packBytes: Int64 = 16 << 20
    private let store: ChunkStore
    private let writers: FileLock
    private let decompressors = Decompressors()
    private let lock = NSLock()
    private var pack: PackWriter?

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
            let pack = try self.pack ?? PackWriter(in: store.blobs)
            self.pack = pack
            try pack.append(compressed, plain: frame.plain, frame.chunks)
            if pack.bytes >= Self.packBytes {
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
        var blobs = try small.compactMap { bytes in
            let prepared = try store.blobs.prepare(bytes)
            return prepared.blob.map { (blob: $0, digest: prepared.digest) }
        }
        if let pack { blobs.append((pack.blob, pack.digest)) }
        try BlobFolder.publish(blobs)
        try store.index.write { database in
            if let pack { try ChunkIndex.add(pack: pack.digest, bytes: pack.bytes, pack.frames, database) }
            try body(database)
        }
    }
}
