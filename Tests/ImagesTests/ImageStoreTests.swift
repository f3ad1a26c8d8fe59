import ChunkStore
import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@testable import Images

@Suite("Images")
struct ImageStoreTests {
    static let zero = [UInt8](repeating: 0, count: 65536)

    @Test("what is written is read, over what its parent has; zeroes are not stored")
    func roundTrip() throws {
        let home = try ScratchHome()
        let store = try home.open()
        // The disk ends in the middle of a chunk.
        let size: Int64 = 70 * 65536 + 1000
        let parent = try store.make([0: noise(1), 1: noise(2), 2: Self.zero, 7: noise(3), 70: noise(4, 1000)], bytes: size)
        let child = try store.make([1: nil, 2: noise(5), 7: noise(1)], over: parent, bytes: size)
        let reader = try home.open().reader(of: child)
        #expect(reader.virtualBytes == size)
        #expect(try reader.bytes(0) == noise(1))
        #expect(try reader.bytes(1) == Self.zero && reader.isZero(1))
        #expect(try reader.bytes(2) == noise(5))
        #expect(try reader.bytes(7) == noise(1))
        #expect(try reader.bytes(70) == noise(4, 1000) + [UInt8](repeating: 0, count: 65536 - 1000))
        #expect(try reader.bytes(40) == Self.zero && reader.isZero(40) && reader.isZero(9999))
        var part = [UInt8](repeating: 0, count: 100)
        try part.withUnsafeMutableBytes { try reader.read(2, into: $0, at: 300) }
        #expect(part[...] == noise(5)[300..<400])
        reader.prefetch(0..<80)

        let inspection = try store.inspect(child)
        #expect(inspection.allocatedBytes == 3 * 65536 + 1000)
        #expect(child.layers.count == 2 && child.layers[0] == parent.layers[0] && child.parent == parent.digest)
        #expect(child.environment == ["PATH": "/bin", "A": "b=c"])
        #expect(try store.verify().problems.isEmpty)
    }

    @Test("a chunk that is written as it was is no change, and one that goes back to zeroes is one")
    func unchanged() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let parent = try store.make([0: noise(1), 1: noise(2), 2: noise(3)])
        #expect(try store.make([0: noise(1), 2: noise(3), 5: nil], over: parent).layers == parent.layers)
        let child = try store.make([0: noise(1), 1: nil, 2: noise(4)], over: parent)
        #expect(child.layers.count == 2)
        #expect(try store.history(child).first?.chunks == 2)
        #expect(try store.reader(of: child).bytes(0) == noise(1))
    }

    @Test("the same content is the same image, whatever store and packing; another step is another image")
    func sameDigest() throws {
        let (one, two) = (try ScratchHome(), try ScratchHome())
        let a = try one.open().make([0: noise(1), 5: noise(2)], step: "x")
        let store = try two.open()
        try store.make([9: noise(2)])
        #expect(try store.make([0: noise(1), 5: noise(2)], step: "x") == a)
        #expect(try store.make([0: noise(1), 5: noise(2)], step: "y").digest != a.digest)
        #expect(try store.make([0: noise(1), 5: noise(2)], step: "y").layers == a.layers)
        let before = try two.files("blobs/sha256")
        try store.make([0: noise(1), 5: noise(2)], step: "x")
        #expect(try two.files("blobs/sha256") == before)
    }

    @Test("chunks that are known are not stored again")
    func deduplication() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let first = try store.make(Dictionary(uniqueKeysWithValues: (0..<16).map { (UInt64($0), Optional(noise(UInt64($0) + 1))) }))
        let before = try home.blobBytes()
        // The same chunks elsewhere, in another order, with one twice.
        try store.make(Dictionary(uniqueKeysWithValues: (0..<16).map { (UInt64(40 - $0), Optional(noise(UInt64($0 / 2) + 1))) }), over: first)
        #expect(try home.blobBytes() - before < 4096)
        let usage = try store.usage()
        #expect(usage.chunks == 16 && usage.packs == 1)
    }

    @Test("a layer's chunks must ascend and lie on the disk")
    func badLayers() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let draft = ImageDraft(parent: nil, virtualBytes: 100_000, environment: [:], machine: MachineDefaults(), step: nil, cacheKey: nil)
        for chunks: [(UInt64, Int)] in [[(1, 34464), (0, 65536)], [(2, 65536)], [(1, 65536)], [(0, 65536), (0, 65536)], [(0, 5)]] {
            #expect(throws: ImageError.self) {
                try store.write(draft) { writer in for (index, count) in chunks { try noise(1, count).withUnsafeBytes { try writer.add(index, $0) } } }
            }
        }
        #expect(throws: ImageError.self) { try store.make([0: noise(1)], over: try store.make([0: noise(2)]), bytes: 1 << 20) }
    }

    @Test("names: latest if not said, moved, taken away, and found by digits or the nearest spelling")
    func names() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let (a, b) = (try store.make([0: noise(1)]), try store.make([0: noise(2)]))
        try store.tag("project", a)
        try store.tag("project:2", b)
        #expect(try store.resolve("project") == a)
        #expect(try store.resolve("project:latest") == a)
        #expect(try store.resolve(b.digest.description) == b)
        #expect(try store.resolve(String(b.digest.hex.prefix(12))) == b)
        try store.tag("project", b)
        #expect(try home.open().references().map(\.name) == ["project:2", "project:latest"])
        #expect(try store.resolve("project") == b)
        try store.untag("project:2")
        #expect(throws: ImageError.self) { try store.untag("project:2") }
        let error = #expect(throws: ImageError.self) { try store.resolve("projct") }
        #expect(error?.code == "notFound" && error?.fix?.contains("project:latest") == true)
        for bad in ["", "A:1", "a:", "a:b:c", "a//b", "-a", "a b", "../x"] { #expect(throws: ImageError.self) { try store.tag(bad, a) } }
    }

    @Test("skopeo reads the layout, zstd its packs and layers")
    func realPrograms() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let parent = try store.make([0: noise(1), 1: Array(repeating: 7, count: 65536), 9: noise(2)])
        let image = try store.make([1: noise(3)], over: parent, step: "compile")
        try store.tag("py:1", image)
        let inspected = try Command("skopeo", ["inspect", "oci:\(home.store):py:1"]).capture()
        #expect(inspected.status == .exited(0), "\(inspected.errors)")
        #expect(inspected.output.contains("dev.terrine.step"))
        let config = try Command("skopeo", ["inspect", "--config", "oci:\(home.store):py:1"]).capture()
        #expect(config.status == .exited(0), "\(config.errors)")
        #expect(config.output.contains(image.layers[1].description))
        for pack in try store.chunks.packDigests() + store.layers(of: image) {
            let tested = try Command("zstd", ["-t", store.chunks.blobs.path(of: pack)]).capture()
            #expect(tested.status == .exited(0), "\(tested.errors)")
        }
    }

    @Test("the step cache finds whole images, and says what a step was made from the last time")
    func stepCache() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let image = try store.make([0: noise(1)], step: "a", cacheKey: "k1")
        try store.cache("k1", image: image, recipe: "shop", step: "compile", record: ["input main.c": "1"])
        #expect(try home.open().cached("k1") == image)
        #expect(try store.cached("k2") == nil)
        #expect(try store.lastRecord(recipe: "shop", step: "compile") == ["input main.c": "1"])
        #expect(try store.lastRecord(recipe: "shop", step: "test") == nil)
        let flight = try store.flightLock("k3")
        #expect(try store.flightLock(ifFree: "k3") == nil)
        #expect(try store.flightLock(ifFree: "k4") != nil)
        withExtendedLifetime(flight) {}
    }

    @Test("history goes back to the first image")
    func history() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let base = try store.make([0: noise(1), 1: noise(2)], step: "base")
        let next = try store.make([:], over: base, step: "nothing")
        let last = try store.make([1: noise(3)], over: next, step: "compile")
        let history = try store.history(last)
        #expect(history.map(\.step) == ["compile", "nothing", "base"])
        #expect(history.map(\.chunks) == [1, 0, 2])
        #expect(history[1].addedBytes == 0 && history[2].addedBytes > 131_072)
        #expect(try store.list(all: true).count == 3)
    }

    @Test("a layer's map is what it says, and refused when it is cut anywhere")
    func layerBlob() throws {
        let layer = LayerBlob(diskBytes: 1 << 30, chunks: [(3, Digest.of([1])), (4, Digest.of([2])), (5, nil), (9, Digest.of([3]))])
        let bytes = layer.encoded()
        #expect(bytes.count == 32 + 3 * 16 + 3 * 32)
        #expect(try LayerBlob(decoding: bytes) == layer)
        for count in [0, 8, 31, 40, 79, bytes.count - 1] { #expect(throws: ImageError.self) { try LayerBlob(decoding: Array(bytes[..<count])) } }
        #expect(throws: ImageError.self) { try LayerBlob(decoding: bytes + [0]) }
        // A disk of nearly 2^63 bytes; more runs than there are bytes for; a run of zeroes that would take 100 GB of memory.
        func header(disk: Int64, runs: UInt64) -> [UInt8] {
            var header = LayerBlob.magic
            header.append32(1)
            header.append32(65536)
            header.append64(UInt64(disk))
            header.append64(runs)
            return header
        }
        var zeroes = header(disk: 1 << 50, runs: 1)
        zeroes.append64(0)
        zeroes.append32(.max)
        zeroes.append32(0)
        for hostile in [header(disk: .max, runs: 0), header(disk: 65536, runs: 2), header(disk: 65536, runs: .max), zeroes] {
            #expect(throws: ImageError.self) { try LayerBlob(decoding: hostile) }
        }
    }
}
