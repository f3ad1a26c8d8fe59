import Crypto
import Foundation
import Glibc
import Linux
import Synchronization

extension ChunkStore {
    /// What was removed.
    public struct Collected: Codable, Sendable {
        public var packs = 0
        public var chunks = 0
        public var bytes: Int64 = 0
    }

    /// None of the numbers that chunks have now; for ``insertNumbers(of:into:)`` and ``collectGarbage(keeping:_:)``.
    public func noNumbers() throws -> NumberSet { NumberSet(try index.numberRange()) }

    /// Adds the numbers of those of `digests` that are here.
    public func insertNumbers(of digests: some Sequence<Digest>, into set: inout NumberSet) throws {
        try index.forEachNumber(of: digests) { set.insert(Int($0)) }
    }

    /// Forgets what nobody needs. Quick: packs that are needed in part stay until ``compact(_:)``.
    ///
    /// The caller holds the collector's lock: nobody writes meanwhile, and none of the blobs that are being written is counted on yet.
    /// - Parameters:
    ///   - needed: the numbers of all chunks that anybody needs.
    ///   - all: forget what is not needed also in packs of which most is: they are going to be written anew.
    ///   - leastNeeded: the part of a pack's bytes that must be needed for it to stay as it is.
    /// - Returns: what was removed, and the packs that hold so little now that they should be written anew.
    public func collectGarbage(
        keeping needed: NumberSet, all: Bool = false, leastNeeded: Double = 0.5, _ lock: FileLock
    ) throws -> (collected: Collected, sparse: [Int64]) {
        defer { withExtendedLifetime(lock) {} }
        try blobs.removeLeftovers()
        var result = Collected()
        var sparse: [Int64] = []
        var unneeded: [UInt32] = []
        var gone: [(id: Int64, digest: Digest, bytes: Int64)] = []
        for pack in try index.packs() {
            var count = 0
            var dead: [UInt32] = []
            var liveBytes: Int64 = 0
            var lastLive: Int64 = -1
            try index.forEachPlace(ofPack: pack.id) { number, offset, length in
                count += 1
                if !needed.contains(Int(number)) {
                    dead.append(number)
                } else if offset != lastLive {
                    liveBytes += length
                    lastLive = offset
                }
            }
            if dead.count == count {
                gone.append(pack)
                result.chunks += count
                continue
            }
            let isSparse = !dead.isEmpty && Double(liveBytes) < Double(pack.bytes) * leastNeeded
            if isSparse { sparse.append(pack.id) }
            if all || isSparse {
                result.chunks += dead.count
                unneeded += dead
            }
        }
        // Rows first: who finds no row does not look for the pack.
        try index.remove(packs: gone.map(\.id))
        try index.remove(chunks: unneeded)
        for pack in gone {
            removeName(blobs.path(of: pack.digest))
            result.packs += 1
            result.bytes += pack.bytes
        }
        if !gone.isEmpty { try syncFolder(blobs.path) }
        if !gone.isEmpty || !sparse.isEmpty { forget() }
        return (result, sparse)
    }

    /// Writes what is left of packs into new ones. Numbers stay, so readers and writers may go on meanwhile; one process at a time does it.
    ///
    /// A pack that cannot be read whole is left as it is.
    public func compact(_ packs: [Int64]) throws -> Collected {
        var result = Collected()
        for id in packs {
            guard let digest = try index.packDigest(id) else { continue }
            let chunks = try index.chunks(ofPack: id)
            let before = blobs.size(of: digest) ?? 0
            let new: Int64
            do { new = try moveOut(chunks, repacked: index.level(ofPack: id)) } catch let error as StoreError
                where error.code == "corrupt" || error.code == "notFound"
            { continue }
            try index.remove(packs: [id])
            removeName(blobs.path(of: digest))
            result.packs += 1
            result.bytes += before - new
        }
        if result.packs > 0 {
            try syncFolder(blobs.path)
            forget()
        }
        return result
    }

    /// Writes chunks into a new pack and lets their rows point there.
    ///
    /// - Parameter repacked: the level at which they were; 0 when they were not, and shall not be now.
    /// - Returns: the new pack's bytes.
    private func moveOut(_ chunks: [(number: UInt32, location: ChunkLocation)], repacked: Int32) throws -> Int64 {
        if chunks.isEmpty { return 0 }
        var frames = try FrameWriter(
            PackWriter(in: blobs), level: repacked == 0 ? 3 : repacked, chunks: repacked == 0 ? Self.frameChunks : Self.repackFrameChunks)
        for chunk in chunks {
            var bytes = [UInt8](repeating: 0, count: chunk.location.bytes)
            try bytes.withUnsafeMutableBytes { try read(chunk.number, into: $0, at: 0) }
            try frames.append(chunk.location.digest, bytes)
        }
        let pack = try frames.close()
        try pack.publish(into: index, replacing: true, level: repacked)
        return pack.bytes
    }

    /// Takes the collector's lock, waiting up to `seconds` for writers to finish.
    ///
    /// Writers that come one after the other would keep it waiting for ever, so it lets no new ones in; but only for a moment at a time: one that is
    /// there may take minutes, and the others must not wait for it.
    public func lockForCollection(waiting seconds: Double) throws -> FileLock {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(seconds)
        while true {
            do {
                let gate = try FileLock(gatePath)
                defer { withExtendedLifetime(gate) {} }
                let open = clock.now + .milliseconds(250)
                repeat {
                    if let lock = try collectorLock() { return lock }
                    usleep(5000)
                } while clock.now < open
            }
            if clock.now > deadline {
                throw StoreError(
                    "busy", "somebody has been writing to \(path) for \(Int(seconds)) s", fix: "wait until the build or checkpoint has ended, and try again")
            }
            usleep(100_000)
        }
    }

    /// Finds the chunks in the packs again. Chunks that are known keep their numbers, so that whoever reads goes on.
    ///
    /// - Returns: the digests of the blobs that are packs.
    @discardableResult
    public func rebuildIndex() throws -> Set<Digest> {
        var packs: Set<Digest> = []
        for digest in try blobs.all().sorted() {
            guard let bytes = blobs.size(of: digest) else { continue }
            let file = try Descriptor(blobs.path(of: digest), O_RDONLY)
            guard let frames = try PackFormat.read(file, bytes: bytes) else { continue }
            try index.write {
                try ChunkIndex.add(pack: digest, bytes: bytes, frames, replacing: true, $0)
                try ChunkIndex.keepOnly(Set(frames.flatMap(\.frame.chunks)), ofPack: digest, $0)
            }
            packs.insert(digest)
        }
        // A pack whose end is damaged is still known by its rows: most of it can be read, and `verify --repair` writes that anew.
        packs.formUnion(try index.packs().filter { blobs.size(of: $0.digest) == $0.bytes }.map(\.digest))
        try index.keepOnly(packs: packs)
        forget()
        return packs
    }

    /// Reads packs whole: their bytes against their names, and every chunk.
    ///
    /// - Parameter report: called with each thing that is wrong.
    /// - Returns: how many chunks were read, and those that cannot be.
    public func verify(report: (StoreError) -> Void) throws -> (count: Int, bad: Set<Digest>) {
        if let damage = try index.damage() {
            report(StoreError("corrupt", "the index is damaged", cause: damage, fix: "`terrine verify --rebuild-index` makes it anew"))
        }
        forget()
        let found = Mutex<(count: Int, bad: Set<Digest>, errors: [StoreError], failure: (any Error)?)>((0, [], [], nil))
        let work = Mutex(try index.packs()[...])
        let threads = try (0..<max(1, ProcessInfo.processInfo.activeProcessorCount)).map { _ in
            try PlainThread { [self] in
                while let pack = work.withLock({ $0.popFirst() }) {
                    do {
                        let result = try verify(pack)
                        found.withLock {
                            $0.count += result.count
                            $0.bad.formUnion(result.bad)
                            $0.errors += result.errors
                        }
                    } catch { found.withLock { $0.failure = error } }
                }
            }
        }
        for thread in threads { thread.join() }
        let result = found.withLock { $0 }
        if let failure = result.failure { throw failure }
        for error in result.errors.sorted(by: { $0.message < $1.message }) { report(error) }
        return (result.count, result.bad)
    }

    /// Reads these chunks.
    public func verify(_ numbers: some Collection<UInt32>, report: (StoreError) -> Void) throws {
        forget()
        var buffer = [UInt8](repeating: 0, count: Self.chunkBytes)
        for number in numbers.sorted() {
            do { try buffer.withUnsafeMutableBytes { try read(number, into: $0, at: 0) } } catch let error as StoreError { report(error) }
        }
    }

    func verify(_ pack: (id: Int64, digest: Digest, bytes: Int64)) throws -> (count: Int, bad: Set<Digest>, errors: [StoreError]) {
        let chunks = try index.chunks(ofPack: pack.id)
        var errors: [StoreError] = []
        var bad: Set<Digest> = []
        guard blobs.contains(pack.digest) else {
            return (
                0, Set(chunks.map(\.location.digest)), [StoreError("notFound", "the pack \(pack.digest) is gone", fix: "build the images that need it again")]
            )
        }
        for chunk in chunks {
            do {
                var buffer = [UInt8](repeating: 0, count: chunk.location.bytes)
                try buffer.withUnsafeMutableBytes { try read(chunk.number, into: $0, at: 0) }
            } catch let error as StoreError {
                errors.append(error)
                bad.insert(chunk.location.digest)
            }
        }
        if errors.isEmpty, try digest(of: pack.digest) != pack.digest {
            errors.append(
                StoreError(
                    "corrupt", "the pack \(pack.digest) does not have the bytes of its name, though all its chunks can be read",
                    fix: "build the images that need it again before the index is lost"))
        }
        return (chunks.count, bad, errors)
    }

    /// Of the bytes that a blob has now.
    private func digest(of blob: Digest) throws -> Digest {
        let file = try Descriptor(blobs.path(of: blob), O_RDONLY)
        var hasher = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: Int64 = 0
        while true {
            let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            if count == 0 { return Digest(hasher.finalize()) }
            buffer.withUnsafeBytes { hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += Int64(count)
        }
    }

    /// The digests of all packs.
    public func packDigests() throws -> [Digest] { try index.packs().map(\.digest) }

    /// Bytes of all packs, and how many chunks they hold.
    public func size() throws -> (bytes: Int64, packs: Int, chunks: Int) {
        let packs = try index.packs()
        return (packs.reduce(0) { $0 + $1.bytes }, packs.count, try index.chunkCount())
    }
}
