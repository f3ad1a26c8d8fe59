import Crypto
import Foundation
import Glibc
import Linux

/// A pack of exactly some chunks, for another store: it is in no file, but made of parts of the packs that there are.
///
/// Those stay open, so that it can be read to its end whatever `gc` does.
public final class OutgoingPack: Sendable {
    public let digest: Digest
    public let bytes: Int64
    /// What follows the frames, as ``PackTable`` reads it.
    public let tail: [UInt8]
    private let parts: [Part]

    fileprivate struct Part: Sendable {
        /// In the pack.
        var start: Int64
        var length: Int64
        var file: Descriptor
        /// In the file.
        var offset: Int64
    }

    fileprivate init(_ frames: [(frame: PackFormat.Frame, file: Descriptor, offset: Int64)]) throws {
        var parts: [Part] = []
        var size: Int64 = 0
        for (frame, file, offset) in frames {
            let length = Int64(frame.compressed)
            if let last = parts.last, last.file === file, last.offset + last.length == offset {
                parts[parts.count - 1].length += length
            } else {
                parts.append(Part(start: size, length: length, file: file, offset: offset))
            }
            size += length
        }
        tail = PackFormat.tail(frames.map(\.frame))
        (self.parts, bytes) = (parts, size + Int64(tail.count))
        var hasher = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        for part in parts {
            var done: Int64 = 0
            while done < part.length {
                let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(Int64(buffer.count), part.length - done))])
                guard try part.file.read(into: room, at: part.offset + done) == room.count else { throw Self.short }
                hasher.update(bufferPointer: UnsafeRawBufferPointer(room))
                done += Int64(room.count)
            }
        }
        hasher.update(data: tail)
        digest = Digest(hasher.finalize())
    }

    private static var short: StoreError {
        StoreError("corrupt", "a pack is shorter than the index says", fix: "`terrine verify` tells which images need it")
    }

    /// Fills `buffer` with bytes from `offset` on, all of it but at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        var done = 0
        var index = parts.partitionIndex { $0.start + $0.length > offset }
        while done < buffer.count {
            let at = offset + Int64(done)
            if index == parts.count {
                let first = Int(at - (bytes - Int64(tail.count)))
                let rest = tail[first...].prefix(buffer.count - done)
                UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyBytes(from: rest)
                return done + rest.count
            }
            let part = parts[index]
            let count = min(buffer.count - done, Int(part.start + part.length - at))
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            guard try part.file.read(into: room, at: part.offset + at - part.start) == count else { throw Self.short }
            done += count
            index += 1
        }
        return done
    }
}

extension [OutgoingPack.Part] {
    /// The first of which `isPast` is true; they are sorted by it.
    fileprivate func partitionIndex(_ isPast: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isPast(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension ChunkStore {
    /// Packs of exactly `digests`, in that order as far as frames allow, each about `target` bytes. Frames of which all is wanted are taken as they are.
    public func outgoingPacks(_ digests: [Digest], target: Int64) throws -> [OutgoingPack] {
        let lock = try writerLock()
        defer { withExtendedLifetime(lock) {} }
        let numbers = try numbers(of: Set(digests))
        var order: [FrameCache.Key] = []
        var frames: [FrameCache.Key: [ChunkLocation]] = [:]
        for digest in digests {
            guard let number = numbers[digest] else {
                throw StoreError("corrupt", "the chunk \(digest) is not in the store", fix: "`terrine verify` tells which images need it; build them again")
            }
            let location = try location(number)
            if frames[location.frameKey] == nil { order.append(location.frameKey) }
            frames[location.frameKey, default: []].append(location)
        }
        var files: [Int64: Descriptor] = [:]
        func file(_ pack: Int64) throws -> Descriptor {
            if let open = files[pack] { return open }
            guard let digest = try index.packDigest(pack) else { throw StoreError("notFound", "pack number \(pack) is not in the store") }
            let file = try Descriptor(blobs.path(of: digest), O_RDONLY)
            files[pack] = file
            return file
        }
        var rest = try LooseFrames(self)
        var packs: [OutgoingPack] = []
        var waiting: [(frame: PackFormat.Frame, file: Descriptor, offset: Int64)] = []
        var size: Int64 = 0
        func close() throws {
            if !waiting.isEmpty { packs.append(try OutgoingPack(waiting)) }
            (waiting, size) = ([], 0)
        }
        for key in order {
            let chunks = (frames[key] ?? []).sorted { $0.position < $1.position }
            guard let first = chunks.first else { continue }
            if chunks.reduce(0, { $0 + $1.bytes }) == first.frameBytes {
                let frame = PackFormat.Frame(compressed: UInt32(first.length), plain: UInt32(first.frameBytes), chunks: chunks.map(\.digest))
                waiting.append((frame, try file(first.pack), first.offset))
            } else {
                waiting += try rest.frames(of: chunks)
            }
            size += Int64(first.length)
            if size >= target { try close() }
        }
        try close()
        return packs
    }
}

/// Frames of which only a part is wanted, written anew into a file that goes with who reads it.
private struct LooseFrames: ~Copyable {
    private let store: ChunkStore
    private let context: Zstandard.Context
    private var blob: Descriptor?
    private var bytes: Int64 = 0

    init(_ store: ChunkStore) throws { (self.store, context) = (store, try Zstandard.Context()) }

    mutating func frames(of chunks: [ChunkLocation]) throws -> [(frame: PackFormat.Frame, file: Descriptor, offset: Int64)] {
        let file = try blob ?? Self.make(in: store.blobs)
        blob = file
        var plain = [UInt8](repeating: 0, count: chunks.reduce(0) { $0 + $1.bytes })
        let numbers = try store.numbers(of: chunks.map(\.digest))
        var at = 0
        for chunk in chunks {
            guard let number = numbers[chunk.digest] else { throw StoreError("notFound", "the chunk \(chunk.digest) is not in the store") }
            try plain.withUnsafeMutableBytes { try store.read(number, into: UnsafeMutableRawBufferPointer(rebasing: $0[at..<at + chunk.bytes]), at: 0) }
            at += chunk.bytes
        }
        let compressed = try plain.withUnsafeBytes { try Zstandard.compress($0, level: 3, with: context) }
        let offset = bytes
        try compressed.withUnsafeBytes { try file.write($0, at: offset) }
        bytes += Int64(compressed.count)
        return [(PackFormat.Frame(compressed: UInt32(compressed.count), plain: UInt32(plain.count), chunks: chunks.map(\.digest)), file, offset)]
    }

    /// A file without a name: the store may be read only, and a kill leaves nothing.
    private static func make(in blobs: BlobFolder) throws -> Descriptor {
        let folder = access(blobs.temporary, W_OK) == 0 ? blobs.temporary : NSTemporaryDirectory()
        let path = "\(folder)/\(getpid())-\(UInt64.random(in: .min ... .max))"
        let file = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL)
        unlink(path)
        return file
    }
}
