import Foundation
import Linux
import Testing

@testable import ChunkStore

@Suite struct ChunkStoreTests {
    @Test func whatIsWrittenIsRead() throws {
        try withStore { store in
            let chunks = (0..<10).map { Self.chunk($0) } + [Array(Self.chunk(99)[..<1000])]
            let written = try Self.write(chunks, to: store)
            #expect(written.digests.compactMap { $0 } == chunks.map { Digest.of($0) })
            let numbers = try store.numbers(of: chunks.map { Digest.of($0) })
            for chunk in chunks { #expect(try Self.read(try #require(numbers[Digest.of(chunk)]), chunk.count, store) == chunk) }
            // A part of a chunk, and what lies past its end.
            var part = [UInt8](repeating: 1, count: 2000)
            try part.withUnsafeMutableBytes { try store.read(try #require(numbers[Digest.of(chunks[10])]), into: $0, at: 500) }
            #expect(Array(part[..<500]) == Array(chunks[10][500...]) && part[500...].allSatisfy { $0 == 0 })
        }
    }

    @Test func zeroesAndKnownChunksAreNotStored() throws {
        try withStore { store in
            let first = try Self.write([Self.chunk(1), Self.zeroes, Self.chunk(2)], to: store)
            #expect(first.totals.newChunks == 2 && first.digests[1] == nil)
            let before = try store.size()
            let second = try Self.write([Self.chunk(2), Self.chunk(1), Self.chunk(2), Self.zeroes], to: store)
            #expect(second.totals.newChunks == 0 && second.totals.storedBytes == 0)
            #expect(try store.size() == before)
        }
    }

    @Test func consecutiveNewChunksShareAFrame() throws {
        try withStore { store in
            _ = try Self.write([Self.chunk(3)], to: store)
            // The known one in the middle parts the frame.
            let chunks = [Self.chunk(1), Self.chunk(2), Self.chunk(3), Self.chunk(4), Self.chunk(5), Self.chunk(6), Self.chunk(7), Self.chunk(8)]
            _ = try Self.write(chunks, to: store)
            let pack = try #require(try store.index.packs().last)
            let offsets = try store.index.chunks(ofPack: pack.id).map(\.location.offset)
            #expect(Dictionary(grouping: offsets) { $0 }.mapValues(\.count).sorted { $0.key < $1.key }.map(\.value) == [2, 4, 1])
        }
    }

    @Test func manyWritersAtOnce() throws {
        try withStore { store in
            // Half of each is everybody's.
            let failures = Failures()
            DispatchQueue.concurrentPerform(iterations: 4) { writer in
                failures.gather {
                    let own = try ChunkStore(path: store.path)
                    _ = try Self.write((0..<40).map { Self.chunk($0 % 2 == 0 ? $0 : 1000 * (writer + 1) + $0) }, to: own)
                }
            }
            #expect(failures.all.isEmpty)
            #expect(try store.size().chunks == 20 + 4 * 20)
            var problems: [StoreError] = []
            let bad = try store.verify { problems.append($0) }
            #expect(bad.bad.isEmpty && problems.isEmpty)
        }
    }

    @Test func aFlippedBitIsAnErrorThatNamesPackAndChunk() throws {
        try withStore { store in
            _ = try Self.write([Self.chunk(1), Self.chunk(2)], to: store)
            let pack = try #require(try store.index.packs().first)
            let path = store.blobs.path(of: pack.digest)
            var bytes = try readFile(path)
            bytes[1000] ^= 1
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let number = try #require(try store.numbers(of: [Digest.of(Self.chunk(1))]).values.first)
            let fresh = try ChunkStore(path: store.path)
            let error = #expect(throws: StoreError.self) { try Self.read(number, 65536, fresh) }
            #expect(error?.code == "corrupt" && error?.message.contains(pack.digest.hex) == true)
            let bad = try fresh.verify { _ in }
            #expect(bad.bad.count == 2)
        }
    }

    @Test func garbageGoesAndTheRestStays() throws {
        try withStore { store in
            let kept = (0..<4).map { Self.chunk($0) }
            _ = try Self.write(kept, to: store)
            _ = try Self.write((10..<20).map { Self.chunk($0) }, to: store)
            // One of many: the pack is written anew.
            _ = try Self.write((20..<30).map { Self.chunk($0) }, to: store)
            var needed = try store.noNumbers()
            try store.insertNumbers(of: kept.map { Digest.of($0) } + [Digest.of(Self.chunk(25)), Digest.of(Self.chunk(999))], into: &needed)
            let number = try #require(try store.numbers(of: [Digest.of(Self.chunk(25))]).values.first)
            let (collected, sparse) = try store.collectGarbage(keeping: needed, try store.lockForCollection(waiting: 1))
            #expect(collected.packs == 1 && collected.chunks == 19 && sparse.count == 1)
            #expect(try store.compact(sparse).packs == 1)
            #expect(try store.size().chunks == 5)
            #expect(try Self.read(number, 65536, store) == Self.chunk(25))
            #expect(try store.numbers(of: (10..<20).map { Digest.of(Self.chunk($0)) }).isEmpty)
            var problems: [StoreError] = []
            let bad = try store.verify { problems.append($0) }
            #expect(bad.bad.isEmpty && problems.isEmpty)
        }
    }

    @Test func garbageCollectionWaitsForWriters() throws {
        try withStore { store in
            let writer = try ChunkWriter(store, level: 1)
            let error = #expect(throws: StoreError.self) { try store.lockForCollection(waiting: 0) }
            #expect(error?.code == "busy")
            withExtendedLifetime(writer) {}
        }
    }

    @Test func theIndexIsFoundAgainInThePacks() throws {
        try withStore { store in
            let chunks = (0..<50).map { Self.chunk($0) }
            _ = try Self.write(chunks, to: store)
            let before = try store.numbers(of: chunks.map { Digest.of($0) })
            try store.rebuildIndex()
            let after = try store.numbers(of: chunks.map { Digest.of($0) })
            // Whoever reads by these numbers goes on.
            #expect(after.count == 50 && after == before)
            for chunk in chunks { #expect(try Self.read(try #require(after[Digest.of(chunk)]), 65536, store) == chunk) }
        }
    }

    @Test func leftoversOfDeadWritersGo() throws {
        try withStore { store in
            let leftover = store.blobs.temporary + "/1-2"
            try Data("half a pack".utf8).write(to: URL(fileURLWithPath: leftover))
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: leftover)
            let alive = try TemporaryBlob(in: store.blobs)
            _ = try store.collectGarbage(keeping: store.noNumbers(), try store.lockForCollection(waiting: 1))
            #expect(try FileManager.default.contentsOfDirectory(atPath: store.blobs.temporary).count == 1)
            withExtendedLifetime(alive) {}
        }
    }

    @Test func realZstdReadsAPack() throws {
        try withStore { store in
            let chunks = (0..<6).map { Self.chunk($0) }
            _ = try Self.write(chunks, to: store)
            let path = store.blobs.path(of: try #require(try store.index.packs().first).digest)
            #expect(try Command("zstd", ["-q", "-t", path]).capture().status == .exited(0))
            #expect(try Command("zstd", ["-q", "-d", "-o", path + ".plain", path]).capture().status == .exited(0))
            #expect(try readFile(path + ".plain") == chunks.flatMap { $0 })
        }
    }

    // MARK: helpers

    static let zeroes = [UInt8](repeating: 0, count: 65536)

    /// Bytes that belong to a seed alone: half text, half noise.
    static func chunk(_ seed: Int) -> [UInt8] {
        var state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        var bytes = [UInt8]("chunk \(seed) ".utf8)
        while bytes.count < 65536 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            bytes.append(bytes.count % 2 == 0 ? UInt8(truncatingIfNeeded: state) : 0x20)
        }
        return bytes
    }

    static func write(_ chunks: [[UInt8]], to store: ChunkStore) throws -> (digests: [Digest?], totals: ChunkWriter.Totals) {
        let writer = try ChunkWriter(store, level: 3)
        for (index, chunk) in chunks.enumerated() { try chunk.withUnsafeBytes { try writer.add(UInt64(index), $0) } }
        return (try writer.finish().map(\.digest), writer.totals)
    }

    static func read(_ number: UInt32, _ count: Int, _ store: ChunkStore) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try store.read(number, into: $0, at: 0) }
        return bytes
    }
}

/// Errors of several threads.
final class Failures: @unchecked Sendable {
    // Unchecked: guarded by the lock.
    private let lock = NSLock()
    private var errors: [String] = []

    var all: [String] { lock.withLock { errors } }

    func gather(_ body: () throws -> Void) {
        do { try body() } catch { lock.withLock { errors.append("\(error)") } }
    }
}

/// A store of its own, removed afterwards.
func withStore(_ body: (ChunkStore) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "/terrine-chunks-\(UUID().uuidString)"
    let result = Result { try body(ChunkStore(path: path)) }
    try FileManager.default.removeItem(atPath: path)
    try result.get()
}
