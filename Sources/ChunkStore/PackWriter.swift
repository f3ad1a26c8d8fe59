import Crypto
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
    func append(_ compressed: [UInt8], plain: Int, _ chunks: [Digest]) throws {
        let offset = bytes
        try write(compressed)
        frames.append((offset, PackFormat.Frame(compressed: UInt32(compressed.count), plain: UInt32(plain), chunks: chunks)))
    }

    private func write(_ part: [UInt8]) throws {
        try part.withUnsafeBytes { raw in
            try blob.file.write(raw, at: bytes)
            hasher.update(bufferPointer: raw)
        }
        bytes += Int64(part.count)
    }

    /// As ``publish(into:)``, for chunks that are known already and lie in the pack `old`.
    func publishMoving(from old: Int64, in index: ChunkIndex) throws {
        try write(PackFormat.tail(frames.map(\.frame)))
        let digest = Digest(hasher.finalize())
        try blob.publish(as: digest)
        try index.move(from: old, to: digest, bytes: bytes, frames)
    }

    /// Closes the pack and gives it its name; durable when it returns, and known to `index`.
    func publish(into index: ChunkIndex) throws {
        try write(PackFormat.tail(frames.map(\.frame)))
        let digest = Digest(hasher.finalize())
        try blob.publish(as: digest)
        try index.add(pack: digest, bytes: bytes, frames)
    }
}
