import ChunkStore
import Foundation
import Linux
import Testing

@testable import Images

@Suite struct ImageStoreTests {
    @Test func anImageHoldsItsLayersOverItsParents() throws {
        try withImages { store in
            let base = try Self.write(store, nil, [0: 1, 1: 2, 5: 3])
            let child = try Self.write(store, base, [1: nil, 2: 4])
            #expect(child.parent == base.digest && child.layers.count == 2 && child.layers.first == base.layers.first)
            let reader = try store.reader(of: child)
            #expect(try Self.read(reader, 0) == Self.chunk(1) && Self.read(reader, 2) == Self.chunk(4) && Self.read(reader, 5) == Self.chunk(3))
            #expect(reader.isZero(1) && reader.isZero(100) && !reader.isZero(0))
            #expect(try Self.read(reader, 1) == [UInt8](repeating: 0, count: 65536))
            // The same, found in the layers again.
            try FileManager.default.removeItem(atPath: store.path + "/maps/\(child.digest.hex)")
            let again = try store.reader(of: child)
            for index in UInt64(0)..<8 { #expect(try Self.read(again, index) == Self.read(reader, index)) }
        }
    }

    @Test func theSameContentGivesTheSameDigestInAnyStore() throws {
        var digests: [Digest] = []
        for _ in 0..<2 {
            try withImages { store in
                let base = try Self.write(store, nil, [0: 1, 1: 2])
                digests.append(try Self.write(store, base, [3: 7]).digest)
                digests.append(try Self.write(store, base, [3: 7]).digest)
            }
        }
        #expect(Set(digests).count == 1)
    }

    @Test func aReferenceIsANameADigestOrItsBeginning() throws {
        try withImages { store in
            let image = try Self.write(store, nil, [0: 1])
            let other = try Self.write(store, nil, [0: 2])
            try store.tag("py", image)
            try store.tag("py:2", other)
            #expect(
                try store.resolve("py").digest == image.digest && store.resolve("py:latest").digest == image.digest
                    && store.resolve("py:2").digest == other.digest)
            #expect(
                try store.resolve(image.digest.description).digest == image.digest && store.resolve(String(image.digest.hex.prefix(12))).digest == image.digest)
            let error = #expect(throws: ImageError.self) { try store.resolve("py:3") }
            #expect(error?.code == "notFound" && error?.fix?.contains("py:2") == true)
            try store.untag("py:2")
            #expect(try store.references().map(\.name) == ["py:latest"])
            #expect(throws: ImageError.self) { try store.untag("py:2") }
            #expect(throws: ImageError.self) { try store.tag("Not a name", image) }
        }
    }

    @Test func skopeoReadsTheStore() throws {
        try withImages { store in
            try store.tag("py:1", Self.write(store, Self.write(store, nil, [0: 1]), [1: 2]))
            let result = try Command("skopeo", ["inspect", "oci:\(store.path):py:1"]).capture()
            #expect(result.status == .exited(0), "\(result.errors)")
            #expect(result.output.contains("\"A=b\"") && result.output.contains("dev.terrine.machine"))
        }
    }

    @Test func garbageIsWhatNothingNames() throws {
        try withImages { store in
            let named = try Self.write(store, nil, [0: 1])
            let pinned = try Self.write(store, named, [1: 2])
            let cached = try Self.write(store, named, [1: 3])
            let lost = try Self.write(store, named, [1: 4, 2: 5])
            try store.tag("named", named)
            try store.pin("machine-1", [pinned.digest])
            try store.cache("key", image: cached, recipe: "r", step: "s", record: ["in": "1"])
            #expect(try store.collectGarbage().images == 0)  // all of it is young
            #expect(try store.collectGarbage(grace: 0).images == 1)
            #expect(throws: ImageError.self) { try store.image(lost.digest) }
            for image in [named, pinned, cached] { #expect(try Self.read(store.reader(of: store.image(image.digest)), 0) == Self.chunk(1)) }
            #expect(try store.cached("key")?.digest == cached.digest && store.lastRecord(recipe: "r", step: "s") == ["in": "1"])
            try store.unpin("machine-1")
            _ = try store.collectGarbage(cacheDays: 0, grace: 0)
            #expect(try store.allImages() == [named.digest])
            #expect(try store.verify().problems.isEmpty)
        }
    }

    @Test func theIndexIsFoundAgain() throws {
        try withImages { store in
            let base = try Self.write(store, nil, [0: 1, 4: 2])
            let child = try Self.write(store, base, [1: 3], key: "key")
            try store.tag("child", child)
            try store.rebuildIndex()
            #expect(try store.verify().problems.isEmpty && store.verify().images == 2)
            #expect(try Self.read(store.reader(of: store.resolve("child")), 1) == Self.chunk(3))
            #expect(try store.cached("key")?.digest == child.digest)
        }
        // The file itself gone, with a process that has it no more.
        let home = NSTemporaryDirectory() + "/terrine-images-\(UUID().uuidString)"
        defer { removeQuietly(home) }
        let digest = try Self.write(ImageStore(home: home), nil, [0: 1]).digest
        for suffix in ["", "-wal", "-shm"] { removeQuietly(home + "/store/index.sqlite" + suffix) }
        let store = try ImageStore(home: home)
        try store.rebuildIndex()
        #expect(try Self.read(store.reader(of: store.image(digest)), 0) == Self.chunk(1))
    }

    @Test func aBadPackNamesTheImages() throws {
        try withImages { store in
            let image = try Self.write(store, nil, [0: 1])
            try store.tag("broken", image)
            let pack = try #require(try store.chunks.packDigests().first)
            let file = try Descriptor(store.chunks.blobs.path(of: pack), O_RDWR)
            try [UInt8](repeating: 0xFF, count: 8).withUnsafeBytes { try file.write($0, at: 100) }
            let problems = try ImageStore(home: store.home).verify().problems
            #expect(problems.contains { $0.images == ["broken:latest"] })
        }
    }

    @Test func writingStaysWithinTheDiskAndInOrder() throws {
        try withImages { store in
            let draft = ImageDraft(parent: nil, virtualBytes: 100_000, environment: [:], machine: MachineDefaults(), step: nil, cacheKey: nil)
            let bytes = Self.chunk(1)
            func write(_ entries: [(UInt64, Int)]) throws {
                _ = try store.write(draft) { layer in
                    for (index, count) in entries { try bytes.withUnsafeBytes { try layer.add(index, UnsafeRawBufferPointer(rebasing: $0[..<count])) } }
                }
            }
            try write([(0, 65536), (1, 34464)])
            #expect(throws: ImageError.self) { try write([(1, 34464), (0, 65536)]) }
            #expect(throws: ImageError.self) { try write([(1, 65536)]) }
            #expect(throws: ImageError.self) { try write([(2, 10)]) }
        }
    }

    @Test func aLayerBlobSaysWhatItHolds() throws {
        let layer = LayerBlob(
            diskBytes: 1 << 30, chunks: [(3, Digest.of([1])), (4, Digest.of([2])), (5, nil), (9, Digest.of([3]))])
        let bytes = layer.encoded()
        #expect(bytes.count == 32 + 3 * 16 + 3 * 32)
        #expect(try LayerBlob(decoding: bytes) == layer)
        // Cut anywhere, or with anything after it, it is refused.
        for count in [0, 8, 31, 40, 79, bytes.count - 1] { #expect(throws: ImageError.self) { try LayerBlob(decoding: Array(bytes[..<count])) } }
        #expect(throws: ImageError.self) { try LayerBlob(decoding: bytes + [0]) }
    }

    // MARK: helpers

    static func chunk(_ seed: UInt8) -> [UInt8] { (0..<65536).map { UInt8(truncatingIfNeeded: ($0 / 7) &* Int(seed) &+ 1) } }

    /// An image of chunks by their seeds; nil: zeroes.
    static func write(_ store: ImageStore, _ parent: Image?, _ chunks: [UInt64: UInt8?], key: String? = nil) throws -> Image {
        var draft =
            parent.map { ImageDraft(continuing: $0) }
            ?? ImageDraft(parent: nil, virtualBytes: 1 << 20, environment: ["A": "b"], machine: MachineDefaults(), step: nil, cacheKey: nil)
        draft.cacheKey = key
        return try store.write(draft) { layer in
            for (index, seed) in chunks.sorted(by: { $0.key < $1.key }) {
                if let seed { try chunk(seed).withUnsafeBytes { try layer.add(index, $0) } } else { try layer.add(index, nil) }
            }
        }
    }

    static func read(_ reader: ImageReader, _ index: UInt64) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 9, count: 65536)
        try bytes.withUnsafeMutableBytes { try reader.read(index, into: $0, at: 0) }
        return bytes
    }
}

/// A store of its own, removed afterwards.
func withImages(_ body: (ImageStore) throws -> Void) throws {
    let home = NSTemporaryDirectory() + "/terrine-images-\(UUID().uuidString)"
    defer { removeQuietly(home) }
    try body(ImageStore(home: home))
}

func removeQuietly(_ path: String) {
    // What is not there need not be removed.
    try? FileManager.default.removeItem(atPath: path)
}
