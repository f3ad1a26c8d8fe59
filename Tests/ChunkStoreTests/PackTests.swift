import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import ChunkStore

@Suite("Packs")
struct PackTests {
    final class Scratch: Sendable {
        let path = NSTemporaryDirectory() + "terrine-chunks-\(UUID().uuidString)"
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    static func chunk(_ seed: Int, _ count: Int = 65536) -> [UInt8] {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }

    static func fill(_ store: ChunkStore, _ chunks: [(UInt64, [UInt8]?)]) throws -> [(index: UInt64, digest: Digest?)] {
        let writer = try ChunkWriter(store, level: 1)
        for (index, bytes) in chunks { if let bytes { try bytes.withUnsafeBytes { try writer.add(index, $0) } } else { try writer.add(index, nil) } }
        return try writer.finish()
    }

    @Test("a pack is zstd's own: frames of four chunks, then the digests and the seek table")
    func pack() throws {
        let scratch = try Scratch()
        let store = try ChunkStore(path: scratch.path)
        // 0..<6 side by side, 9 apart, a short one at the end; 3 is zero.
        let chunks = [0, 1, 2, 3, 4, 5, 9, 10].map { index in
            (UInt64(index), index == 3 ? [UInt8](repeating: 0, count: 65536) : Self.chunk(index + 1, index == 10 ? 700 : 65536))
        }
        let written = try Self.fill(store, chunks.map { ($0.0, Optional($0.1)) })
        #expect(written.map(\.digest) == chunks.map { $0.0 == 3 ? nil : Digest.of($0.1) })
        let pack = try #require(try store.packDigests().first)
        let file = try Descriptor(store.blobs.path(of: pack), O_RDONLY)
        let size = try #require(store.blobs.size(of: pack))
        let frames = try #require(try PackFormat.read(file, bytes: size))
        #expect(frames.map(\.frame.chunks.count) == [3, 2, 2])
        #expect(frames.map(\.frame.plain) == [196_608, 131_072, 66_236])
        #expect(Digest.of(try readFile(store.blobs.path(of: pack))) == pack)
        let plain = try Command("zstd", ["-dc", store.blobs.path(of: pack)]).capture()
        #expect(plain.status == .exited(0))
        // What was cut short is no pack.
        #expect(try PackFormat.read(file, bytes: size - 1) == nil && PackFormat.read(file, bytes: 10) == nil)
    }

    @Test("many packs are published while more comes")
    func manyPacks() throws {
        let scratch = try Scratch()
        let store = try ChunkStore(path: scratch.path)
        // Two full packs and a bit, of bytes that do not compress; a chunk is one page of noise and its number.
        let noise = Self.chunk(1)
        let count = 2200
        let writer = try ChunkWriter(store, level: 1)
        var chunk = noise
        for index in 0..<count {
            chunk.withUnsafeMutableBytes { $0.storeBytes(of: UInt64(index), as: UInt64.self) }
            // Rotated, so that no chunk looks like the one beside it in its frame.
            chunk.swapAt(index, 65535 - index)
            try chunk.withUnsafeBytes { try writer.add(UInt64(index), $0) }
        }
        let written = try writer.finish()
        #expect(written.count == count && writer.totals.newChunks == count)
        let numbers = try store.numbers(of: Set(written.compactMap(\.digest)))
        #expect(numbers.count == count)
        var errors: [StoreError] = []
        #expect(try store.verify { errors.append($0) }.count == count)
        #expect(errors.isEmpty)
    }

    @Test("what a dead writer leaves is no chunk, and goes")
    func leftovers() throws {
        let scratch = try Scratch()
        let store = try ChunkStore(path: scratch.path)
        _ = try Self.fill(store, [(0, Self.chunk(1))])
        // Killed before the rename, and after it but before the index knew of the pack.
        let dead = scratch.path + "/tmp/1-1"
        try replaceFile(dead, with: Self.chunk(2))
        var old = [timeval(tv_sec: 1000, tv_usec: 0), timeval(tv_sec: 1000, tv_usec: 0)]
        utimes(dead, &old)
        let other = try ChunkStore(path: try Scratch().path + "/other")
        _ = try Self.fill(other, [(0, Self.chunk(3))])
        let pack = try #require(try other.packDigests().first)
        try replaceFile(store.blobs.path(of: pack), with: try readFile(other.blobs.path(of: pack)))
        try? FileManager.default.removeItem(atPath: other.path)

        let reopened = try ChunkStore(path: scratch.path)
        #expect(try reopened.packDigests().count == 1)
        _ = try Self.fill(reopened, [(0, Self.chunk(3))])
        let numbers = try reopened.numbers(of: [Digest.of(Self.chunk(3)), Digest.of(Self.chunk(2))])
        #expect(numbers.count == 1)
        var bytes = [UInt8](repeating: 0, count: 65536)
        let number = try #require(numbers.values.first)
        try bytes.withUnsafeMutableBytes { try reopened.read(number, into: $0, at: 0) }
        #expect(bytes == Self.chunk(3))
        var needed = try reopened.noNumbers()
        try reopened.insertNumbers(of: [Digest.of(Self.chunk(1))], into: &needed)
        _ = try reopened.collectGarbage(keeping: needed, reopened.lockForCollection(waiting: 5))
        #expect(access(dead, F_OK) != 0)
    }

    @Test("the cache holds no more bytes than it may")
    func cacheLimit() throws {
        let cache = FrameCache(limit: 10_000)
        let memory = FrameMemory()
        func frame() throws -> Frame { try Frame(count: 1000, from: memory) { $0.initializeMemory(as: UInt8.self, repeating: 1) } }
        for index in 0..<100 { _ = try cache.frame(.init(pack: 1, offset: Int64(index)), load: frame) }
        var loads = 0
        for index in 0..<100 {
            _ = try cache.frame(.init(pack: 1, offset: Int64(index))) {
                loads += 1
                return try frame()
            }
        }
        #expect(loads >= 90)
    }

    @Test("a frame that many want at once is decompressed once; one that cannot be is tried again")
    func singleFlight() throws {
        let cache = FrameCache(limit: 10_000)
        let memory = FrameMemory()
        let loads = Atomic(0)
        let failures = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            do {
                _ = try cache.frame(.init(pack: 1, offset: 0)) {
                    let count = loads.wrappingAdd(1, ordering: .relaxed).newValue
                    usleep(20_000)
                    if count == 1 { throw StoreError("corrupt", "the first one fails") }
                    return try Frame(count: 100, from: memory) { $0.initializeMemory(as: UInt8.self, repeating: 1) }
                }
            } catch { failures.wrappingAdd(1, ordering: .relaxed) }
        }
        #expect(loads.load(ordering: .relaxed) == 2 && failures.load(ordering: .relaxed) == 1)
    }
}
