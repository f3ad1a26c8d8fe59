import Foundation
import Glibc
import Linux

extension ChunkStore {
    /// What was removed.
    public struct Collected: Codable, Sendable {
        public var packs = 0
        public var chunks = 0
        public var bytes: Int64 = 0
    }

    /// Removes packs none of whose chunks is needed, and writes anew those of which less than half is.
    ///
    /// The caller holds the collector's lock: nobody writes meanwhile.
    /// - Parameters:
    ///   - needed: the digests of all chunks that anybody needs.
    ///   - grace: packs that are younger, in seconds, stay: somebody may be about to need them.
    func collect(keeping needed: Set<Digest>, grace: Double) throws -> Collected {
        var result = Collected()
        for pack in try index.packs() {
            let path = blobs.path(of: pack.digest)
            var status = stat()
            if stat(path, &status) == 0, Double(time(nil) - status.st_mtim.tv_sec) < grace { continue }
            let chunks = try index.chunks(ofPack: pack.id)
            let live = chunks.filter { needed.contains($0.location.digest) }
            if live.count == chunks.count || live.count * 2 >= chunks.count { continue }
            try moveOut(live, of: pack.id)
            try index.remove(packs: [pack.id])
            unlink(path)
            result.packs += 1
            result.chunks += chunks.count - live.count
            result.bytes += pack.bytes
        }
        if result.packs > 0 {
            try syncFolder(blobs.path)
            forget()
        }
        return result
    }

    /// Writes chunks into a new pack, and lets their rows point there: their numbers stay.
    private func moveOut(_ live: [(number: UInt32, location: ChunkLocation)], of pack: Int64) throws {
        if live.isEmpty { return }
        let writer = try PackWriter(in: blobs)
        let context = try Zstandard.Context()
        for chunk in live {
            var bytes = [UInt8](repeating: 0, count: chunk.location.bytes)
            try bytes.withUnsafeMutableBytes { try read(chunk.number, into: $0, at: 0) }
            let compressed = try bytes.withUnsafeBytes { try Zstandard.compress($0, level: 3, with: context) }
            try writer.append(compressed, plain: bytes.count, [chunk.location.digest])
        }
        try writer.publishMoving(from: pack, in: index)
    }

    /// Takes the collector's lock, waiting up to `seconds` for writers to finish.
    public func lockForCollection(waiting seconds: Double) throws -> FileLock {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            if let lock = try collectorLock() { return lock }
            if ContinuousClock.now > deadline {
                throw StoreError(
                    "busy", "somebody has been writing to \(path) for \(Int(seconds)) s", fix: "wait until the build or checkpoint has ended, and try again")
            }
            usleep(20_000)
        }
    }

    /// Removes what nobody needs. See ``collect(keeping:grace:)``.
    public func collectGarbage(keeping needed: Set<Digest>, grace: Double, _ lock: FileLock) throws -> Collected {
        try blobs.removeLeftovers()
        defer { withExtendedLifetime(lock) {} }
        return try collect(keeping: needed, grace: grace)
    }

    /// Finds the chunks in the packs again.
    ///
    /// - Returns: the digests of the blobs that are packs.
    @discardableResult
    public func rebuildIndex() throws -> Set<Digest> {
        try index.removeAll()
        forget()
        var packs: Set<Digest> = []
        for digest in try blobs.all().sorted() {
            guard let bytes = blobs.size(of: digest) else { continue }
            let file = try Descriptor(blobs.path(of: digest), O_RDONLY)
            guard let frames = try PackFormat.read(file, bytes: bytes) else { continue }
            try index.add(pack: digest, bytes: bytes, frames)
            packs.insert(digest)
        }
        return packs
    }

    /// Reads every chunk of every pack.
    ///
    /// - Parameter report: called with each thing that is wrong.
    /// - Returns: the chunks that cannot be read.
    public func verify(report: (StoreError) -> Void) throws -> Set<Digest> {
        var bad: Set<Digest> = []
        forget()
        for pack in try index.packs() {
            guard let bytes = blobs.size(of: pack.digest) else {
                report(StoreError("notFound", "the pack \(pack.digest) is gone", fix: "build the images that need it again"))
                bad.formUnion(try index.chunks(ofPack: pack.id).map(\.location.digest))
                continue
            }
            if bytes != pack.bytes { report(StoreError("corrupt", "the pack \(pack.digest) has \(bytes) bytes instead of \(pack.bytes)")) }
            for chunk in try index.chunks(ofPack: pack.id) {
                do {
                    var buffer = [UInt8](repeating: 0, count: chunk.location.bytes)
                    try buffer.withUnsafeMutableBytes { try read(chunk.number, into: $0, at: 0) }
                } catch let error as StoreError {
                    report(error)
                    bad.insert(chunk.location.digest)
                }
            }
        }
        return bad
    }

    /// The digests of all packs.
    public func packDigests() throws -> [Digest] { try index.packs().map(\.digest) }

    /// What chunks amount to: their plain bytes, and those of the frames that they are in, each counted once.
    public func reach(_ numbers: some Sequence<UInt32>) throws -> (plainBytes: Int64, storedBytes: Int64) {
        var places: Set<FrameCache.Key> = []
        var result: (plainBytes: Int64, storedBytes: Int64) = (0, 0)
        for number in numbers {
            let location = try location(number)
            result.plainBytes += Int64(location.bytes)
            if places.insert(FrameCache.Key(pack: location.pack, offset: location.offset)).inserted { result.storedBytes += Int64(location.length) }
        }
        return result
    }

    /// Bytes of all packs, and how many chunks they hold.
    public func size() throws -> (bytes: Int64, packs: Int, chunks: Int) {
        let packs = try index.packs()
        return (packs.reduce(0) { $0 + $1.bytes }, packs.count, try index.chunkCount())
    }
}
