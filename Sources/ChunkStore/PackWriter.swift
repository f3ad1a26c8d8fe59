import Crypto
import GRDB
import Linux

/// One pack that grows until it is closed.
final class PackWriter {
    private let blob: TemporaryBlob
    private let blobs: BlobFolder
    private var hasher = SHA256()
    private var frames: [(offset: Int64, frame: PackFormat.Frame)] = []
    private(set) var bytes: Int64 = 0

    init(in blobs: BlobFolder) throws {
        self.blobs = blobs
        blob = try TemporaryBlob(in: blobs)
    }

    /// Appends one zstd frame that holds `chunks`, `plain` bytes together.
    func append(_ compressed: UnsafeRawBufferPointer, plain: Int, _ chunks: [Digest]) throws {
        let offset = bytes
        try write(compressed)
        frames.append((offset, PackFormat.Frame(compressed: UInt32(compressed.count), plain: UInt32(plain), chunks: chunks)))
    }

    private func write(_ part: UnsafeRawBufferPointer) throws {
        try blob.write(part, at: bytes)
        hasher.update(bufferPointer: part)
        bytes += Int64(part.count)
    }

    /// Writes the end; the pack is complete, but neither named nor durable.
    func close() throws -> ClosedPack {
        try PackFormat.tail(frames.map(\.frame)).withUnsafeBytes { try write($0) }
        return ClosedPack(blob: blob, digest: Digest(hasher.finalize()), bytes: bytes, frames: frames)
    }
}

/// A complete pack that is still to be published and entered into the index, in this order.
struct ClosedPack {
    let blob: TemporaryBlob
    let digest: Digest
    let bytes: Int64
    let frames: [(offset: Int64, frame: PackFormat.Frame)]

    /// Durable when it returns, and known to `index`.
    ///
    /// - Parameters:
    ///   - replacing: let known chunks lie here from now on.
    ///   - level: of what was repacked.
    func publish(into index: ChunkIndex, replacing: Bool = false, level: Int32 = 0) throws {
        try BlobFolder.publish([(blob, digest)])
        try index.write { try ChunkIndex.add(pack: digest, bytes: bytes, frames, replacing: replacing, level: level, $0) }
    }
}

extension ChunkStore {
    /// Makes everything durable at once: a pack, small blobs beside it, and then what `body` does to the index.
    ///
    /// - Returns: the digests of `small`.
    func publish(_ pack: ClosedPack?, _ small: [[UInt8]], _ body: (Database) throws -> Void) throws -> [Digest] {
        let prepared = try small.map { try blobs.prepare($0) }
        var new = prepared.compactMap { entry in entry.blob.map { (blob: $0, digest: entry.digest) } }
        if let pack { new.append((pack.blob, pack.digest)) }
        try BlobFolder.publish(new)
        try index.write { database in
            if let pack { try ChunkIndex.add(pack: pack.digest, bytes: pack.bytes, pack.frames, database) }
            try body(database)
        }
        return prepared.map(\.digest)
    }
}
