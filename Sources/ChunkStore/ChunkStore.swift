import Foundation
import Glibc
import Linux
import Synchronization

/// Chunks of up to 64 KiB by their digests, compressed in packs.
///
/// A store is a folder; any number of processes use it at once. What is written is durable when ``ChunkWriter/finish()`` returns, and complete or
/// absent after a crash at any moment. It knows nothing of disks or images: who needs which chunk is told to ``collectGarbage(keeping:grace:)``.
public final class ChunkStore: Sendable {
    /// Bytes of a chunk; the last of a disk may be shorter.
    public static let chunkBytes = 65536
    /// Chunks that are compressed together.
    public static let frameChunks = 4
    /// Bytes after which a pack is closed.
    static let packBytes: Int64 = 64 << 20

    public let path: String
    /// On a file system that nobody can write: what is there can be looked at.
    public let isReadOnly: Bool
    public let blobs: BlobFolder
    public let index: ChunkIndex
    private let cache: FrameCache
    private let frameMemory = FrameMemory()
    private let decompressors = Decompressors()
    private let packs = Mutex<[Int64: PackFile]>([:])
    private let pages = Mutex<[UInt32: LocationPage]>([:])

    private struct PackFile: Sendable {
        var digest: Digest
        var file: Descriptor
    }
    private typealias LocationPage = [UInt32: ChunkLocation]
    private static let pageShift: UInt32 = 8

    /// Opens or makes the store in the folder `path`.
    ///
    /// - Parameter cacheBytes: how much of decompressed frames is kept in memory.
    public init(path: String, cacheBytes: Int = 64 << 20) throws {
        self.path = path
        isReadOnly = access(path, W_OK) != 0 && errno == EROFS
        blobs = try BlobFolder(store: path)
        index = try ChunkIndex(path: path + "/index.sqlite", isReadOnly: isReadOnly)
        cache = FrameCache(limit: cacheBytes)
    }

    /// Held shared while something is written that counts on what is known, and alone while what nobody needs is forgotten.
    public func writerLock() throws -> FileLock {
        // Closed for moments by a collector that would otherwise never find the store without a writer.
        let gate = try FileLock(gatePath, shared: true)
        defer { withExtendedLifetime(gate) {} }
        return try FileLock(path + "/writers.lock", shared: true)
    }

    var gatePath: String { path + "/writers.gate" }

    func collectorLock() throws -> FileLock? { try FileLock(ifFree: path + "/writers.lock") }

    // MARK: reading

    /// The number of each of `digests`, by which it is read; nil for one that is not here.
    public func numbers(of digests: some Collection<Digest>) throws -> [Digest: UInt32] { try index.numbers(of: digests) }

    /// Copies bytes of the chunk `number`, from `offset` on, into `buffer`; what lies past its end is zero.
    ///
    /// The chunk's digest is checked when its frame is first read.
    public func read(_ number: UInt32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        let location = try location(number)
        do { try read(location, into: buffer, at: offset) } catch let error as StoreError {
            // Another process may have moved it to another pack.
            forgetPage(of: number)
            guard let fresh = try? self.location(number), fresh != location else { throw error }  // The first error says more.
            try read(fresh, into: buffer, at: offset)
        }
    }

    private func read(_ location: ChunkLocation, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        let frame = try frame(location)
        try verify(location, frame)
        let count = max(0, min(buffer.count, location.bytes - offset))
        let start = location.position + offset
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame.bytes[start..<start + count]))
        withExtendedLifetime(frame) {}
        if count < buffer.count { UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).initializeMemory(as: UInt8.self, repeating: 0) }
    }

    /// Makes chunks cheap to read, several frames at once; troubles are kept for the read.
    public func prefetch(_ numbers: [UInt32]) {
        var frames: [[ChunkLocation]] = []
        for number in numbers {
            // As is what cannot be looked up.
            guard let location = try? location(number) else { continue }
            if frames.last?.last?.frameKey == location.frameKey { frames[frames.count - 1].append(location) } else { frames.append([location]) }
        }
        let wanted = frames
        spread(wanted.count, min(2, allCores().count)) { index, _ in
            for location in wanted[index] { do { try verify(location, frame(location)) } catch {} }
        }
    }

    private func forgetPage(of number: UInt32) { pages.withLock { $0[number >> Self.pageShift] = nil } }

    func location(_ number: UInt32) throws -> ChunkLocation {
        let page = number >> Self.pageShift
        if let known = pages.withLock({ $0[page]?[number] }) { return known }
        let first = page << Self.pageShift
        let found = try index.locations(first...(first | ((1 << Self.pageShift) - 1)))
        pages.withLock { pages in
            // A bound on memory; a store's hot part is far smaller.
            if pages.count >= 1024 { pages.removeAll() }
            pages[page] = found
        }
        guard let location = found[number] else {
            throw StoreError("notFound", "chunk number \(number) is not in the store", fix: "`terrine verify` tells which images need it")
        }
        return location
    }

    private func frame(_ location: ChunkLocation) throws -> Frame {
        try cache.frame(location.frameKey) { try loadFrame(location) }
    }

    private func loadFrame(_ location: ChunkLocation) throws -> Frame {
        let pack = try pack(location.pack)
        let most = 64 * Self.chunkBytes
        guard (1...2 * most).contains(location.length), (1...most).contains(location.frameBytes) else {
            throw corrupt(location, "the index says that its frame has \(location.length) bytes for \(location.frameBytes)")
        }
        return try decompressors.with { decompressor in
            let compressed = decompressor.scratch(location.length)
            guard try pack.file.read(into: compressed, at: location.offset) == location.length else { throw corrupt(location, "the pack is too short") }
            return try Frame(count: location.frameBytes, from: frameMemory) {
                do { try decompressor.decompress(UnsafeRawBufferPointer(compressed), into: $0) } catch let error as StoreError {
                    throw corrupt(location, error.cause ?? error.message)
                }
            }
        }
    }

    /// Each chunk is checked the first time that it is read from a decompressed frame.
    private func verify(_ location: ChunkLocation, _ frame: Frame) throws {
        let bit = UInt64(1) << UInt64(clamping: location.position / Self.chunkBytes)
        if frame.verified.load(ordering: .acquiring) & bit != 0 { return }
        guard location.position >= 0, location.bytes >= 0, location.position + location.bytes <= frame.bytes.count else {
            throw corrupt(location, "its frame is too short")
        }
        let digest = Digest.of(UnsafeRawBufferPointer(rebasing: frame.bytes[location.position..<location.position + location.bytes]))
        if digest != location.digest { throw corrupt(location, "its bytes have the digest \(digest)") }
        frame.verified.bitwiseOr(bit, ordering: .acquiringAndReleasing)
    }

    private func corrupt(_ location: ChunkLocation, _ cause: String) -> StoreError {
        let pack = packs.withLock { $0[location.pack]?.digest.description } ?? "\(location.pack)"
        return StoreError(
            "corrupt", "chunk \(location.digest) at byte \(location.offset) of the pack \(pack) cannot be read", cause: cause,
            fix: "`terrine verify` tells which images need it; build them again")
    }

    private func pack(_ id: Int64) throws -> PackFile {
        if let open = packs.withLock({ $0[id] }) { return open }
        guard let digest = try index.packDigest(id) else {
            throw StoreError("notFound", "pack number \(id) is not in the store", fix: "`terrine verify --rebuild-index`")
        }
        let file: Descriptor
        do { file = try Descriptor(blobs.path(of: digest), O_RDONLY) } catch let error as LinuxError where error.code == ENOENT {
            throw StoreError("notFound", "the pack \(digest) is gone", fix: "`terrine verify` tells which images need it; build them again")
        }
        return packs.withLock { packs in
            if packs.count >= 128 { packs.removeAll() }
            let pack = PackFile(digest: digest, file: file)
            packs[id] = pack
            return pack
        }
    }

    /// Forgets what was read: packs may have gone.
    func forget() {
        pages.withLock { $0.removeAll() }
        packs.withLock { $0.removeAll() }
        cache.removeAll()
    }
}
