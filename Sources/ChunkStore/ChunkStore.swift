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
    public let blobs: BlobFolder
    public let index: ChunkIndex
    private let cache: FrameCache
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
        blobs = try BlobFolder(store: path)
        index = try ChunkIndex(path: path + "/index.sqlite")
        cache = FrameCache(limit: cacheBytes)
    }

    /// Held shared while something is written that counts on what is known, and alone while what nobody needs is forgotten.
    public func writerLock() throws -> FileLock { try FileLock(path + "/writers.lock", shared: true) }

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
        frame.bytes.withUnsafeBytes { bytes in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[location.position + offset..<location.position + offset + count]))
        }
        if count < buffer.count { UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).initializeMemory(as: UInt8.self, repeating: 0) }
    }

    /// Makes the chunk cheap to read; troubles are kept for the read.
    public func prefetch(_ number: UInt32) {
        do { _ = try frame(try location(number)) } catch {}
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
        let compressed = try [UInt8](unsafeUninitializedCapacity: location.length) { buffer, count in
            count = try pack.file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<location.length]), at: location.offset)
        }
        guard compressed.count == location.length else { throw corrupt(location, "the pack is too short") }
        let plain = try [UInt8](unsafeUninitializedCapacity: location.frameBytes) { buffer, count in
            do {
                try compressed.withUnsafeBytes {
                    try Zstandard.decompress($0, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<location.frameBytes]))
                }
            } catch let error as StoreError { throw corrupt(location, error.cause ?? error.message) }
            count = location.frameBytes
        }
        return Frame(bytes: plain)
    }

    /// Each chunk is checked the first time that it is read from a decompressed frame.
    private func verify(_ location: ChunkLocation, _ frame: Frame) throws {
        let bit = UInt64(1) << UInt64(clamping: location.position / Self.chunkBytes)
        if frame.verified.load(ordering: .acquiring) & bit != 0 { return }
        guard location.position >= 0, location.bytes >= 0, location.position + location.bytes <= frame.bytes.count else {
            throw corrupt(location, "its frame is too short")
        }
        let digest = frame.bytes.withUnsafeBytes { Digest.of(UnsafeRawBufferPointer(rebasing: $0[location.position..<location.position + location.bytes])) }
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
