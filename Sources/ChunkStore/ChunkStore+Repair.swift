import Foundation
import Glibc
import Linux

extension ChunkStore {
    /// Writes anew all that can still be read of damaged packs, and what another store has of the rest. Numbers stay, so readers go on.
    ///
    /// What can be read nowhere stays where it is, so that no other chunk is taken for it. The caller keeps `gc` away.
    /// - Parameter needed: the digests of all chunks that anybody needs; those of them that are not known are fetched too.
    /// - Returns: how many chunks were fetched.
    public func repair(from source: ChunkStore?, needed: Set<Digest>) throws -> Int {
        forget()
        var fetched = 0
        func fetch(_ digest: Digest) throws -> [UInt8]? {
            guard let source, let number = try source.numbers(of: [digest])[digest] else { return nil }
            var bytes = [UInt8](repeating: 0, count: try source.location(number).bytes)
            // As damaged there as here: `verify` tells what is still missing in the end.
            do { try bytes.withUnsafeMutableBytes { try source.read(number, into: $0, at: 0) } } catch is StoreError { return nil }
            fetched += 1
            return bytes
        }
        for pack in try index.packs() {
            let (_, bad, errors) = try verify(pack)
            if errors.isEmpty { continue }
            var whole: [(digest: Digest, bytes: [UInt8])] = []
            var useless: [UInt32] = []
            for chunk in try index.chunks(ofPack: pack.id) {
                let digest = chunk.location.digest
                if !bad.contains(digest) {
                    var bytes = [UInt8](repeating: 0, count: chunk.location.bytes)
                    try bytes.withUnsafeMutableBytes { try read(chunk.number, into: $0, at: 0) }
                    whole.append((digest, bytes))
                } else if let bytes = try fetch(digest) {
                    whole.append((digest, bytes))
                } else if !needed.contains(digest) {
                    useless.append(chunk.number)
                }
            }
            let new = try write(whole)
            try index.remove(chunks: useless)
            // It has what could not be mended; or it is the very pack, as it was before it was damaged.
            if try new == pack.digest || !index.chunks(ofPack: pack.id).isEmpty { continue }
            try index.remove(packs: [pack.id])
            removeName(blobs.path(of: pack.digest))
            try syncFolder(blobs.path)
        }
        let known = try numbers(of: needed)
        var missing: [(digest: Digest, bytes: [UInt8])] = []
        for digest in needed where known[digest] == nil { if let bytes = try fetch(digest) { missing.append((digest, bytes)) } }
        _ = try write(missing)
        forget()
        return fetched
    }

    /// Writes chunks into a pack, where their rows point from then on.
    ///
    /// - Returns: the pack; nil when there is nothing to write.
    private func write(_ chunks: [(digest: Digest, bytes: [UInt8])]) throws -> Digest? {
        if chunks.isEmpty { return nil }
        var frames = try FrameWriter(PackWriter(in: blobs), level: 3, chunks: Self.frameChunks)
        for chunk in chunks { try frames.append(chunk.digest, chunk.bytes) }
        let pack = try frames.close()
        try pack.publish(into: index, replacing: true)
        return pack.digest
    }
}

/// Puts chunks that come one by one into frames.
struct FrameWriter: ~Copyable {
    private let pack: PackWriter
    private let context: Zstandard.Context
    private let level: Int32
    private let chunks: Int
    private var frame: [UInt8] = []
    private var digests: [Digest] = []

    /// - Parameter chunks: how many go into a frame.
    init(_ pack: PackWriter, level: Int32, chunks: Int) throws {
        (self.pack, self.level, self.chunks, context) = (pack, level, chunks, try Zstandard.Context())
    }

    mutating func append(_ digest: Digest, _ bytes: [UInt8]) throws {
        frame += bytes
        digests.append(digest)
        // A short chunk can only be a frame's last.
        if digests.count == chunks || bytes.count < ChunkStore.chunkBytes { try closeFrame() }
    }

    private mutating func closeFrame() throws {
        if digests.isEmpty { return }
        let compressed = try frame.withUnsafeBytes { try Zstandard.compress($0, level: level, with: context) }
        try compressed.withUnsafeBytes { try pack.append($0, plain: frame.count, digests) }
        frame = []
        digests = []
    }

    mutating func close() throws -> ClosedPack {
        try closeFrame()
        return try pack.close()
    }
}
