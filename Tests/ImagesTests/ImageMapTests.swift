import ChunkStore
import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@testable import Images

@Suite("Image maps")
struct ImageMapTests {
    /// Bytes that the leaves take, and that a map takes.
    private static func room(_ home: ScratchHome, _ image: Image) throws -> (leaves: Int, root: Int) {
        var (leaves, root) = (stat(), stat())
        try check("look at") { stat(home.store + "/maps/leaves", &leaves) }
        try check("look at") { stat(home.store + "/maps/" + image.digest.hex, &root) }
        return (Int(leaves.st_blocks) * 512, Int(root.st_size))
    }

    @Test("an image adds the leaves that it changes, and shares the others with its parent")
    func sharing() throws {
        let home = try ScratchHome()
        let store = try home.open()
        // 64 GiB, with something in each of forty leaves.
        let size: Int64 = 64 << 30
        let base = try store.make(Dictionary(uniqueKeysWithValues: (0..<40).map { (UInt64($0 * 1024 + 5), Optional(noise(UInt64($0) + 1))) }), bytes: size)
        let before = try Self.room(home, base)
        #expect(before.leaves == 41 * 4096 && before.root == 32 + 1024 * 4)
        let child = try store.make([5: noise(100), 3 * 1024 + 5: nil, 50 * 1024: noise(101)], over: base, bytes: size)
        let after = try Self.room(home, child)
        // One changed, one new; the third has only zeroes now, which need no leaf.
        #expect(after.leaves - before.leaves == 2 * 4096)
        let same = try store.make([5: noise(100)], over: child, bytes: size, step: "nothing new")
        #expect(try Self.room(home, same).leaves == after.leaves)
        let larger = try store.make([70 << 14: noise(102)], over: same, bytes: 72 << 30)
        #expect(try Self.room(home, larger).leaves - after.leaves == 4096)

        let reader = try home.open().reader(of: larger)
        #expect(try reader.bytes(5) == noise(100) && reader.bytes(50 * 1024) == noise(101) && reader.bytes(70 << 14) == noise(102))
        #expect(reader.isZero(3 * 1024 + 5) && reader.isZero(6) && reader.isZero(60 * 1024) && reader.isZero(1 << 40))
        #expect(try reader.bytes(39 * 1024 + 5) == noise(40) && store.bytes(of: base, 5) == noise(1) && store.bytes(of: base, 3 * 1024 + 5) == noise(4))
    }

    @Test("gc gives back the leaves that nobody uses, and leaves a reader's alone")
    func collect() throws {
        let home = try ScratchHome()
        var images: [Image] = []
        do {
            let store = try home.open()
            let base = try store.make([0: noise(1), 2000: noise(2)], bytes: 1 << 30)
            images = [base] + (try (0..<6).map { try store.make([UInt64($0 + 1): noise(UInt64($0) + 10)], over: base, bytes: 1 << 30) })
            try store.tag("a", images[1])
        }
        let reader = try home.open().reader(of: images[4])
        let before = try Self.room(home, images[4])
        let store = try home.open()
        #expect(try store.collectGarbage().images == 5)
        // The base's first leaf, and those of four children.
        #expect(try before.leaves - Self.room(home, images[4]).leaves == 5 * 4096)
        #expect(try reader.bytes(0) == noise(1) && reader.bytes(4) == noise(13) && reader.bytes(2000) == noise(2))
        #expect(try store.bytes(of: images[1], 1) == noise(10) && store.bytes(of: images[1], 2000) == noise(2))
        #expect(try home.files("maps") == ["leaves", images[1].digest.hex, images[4].digest.hex])
        let next = try store.make([9: noise(50)], over: images[1], bytes: 1 << 30)
        #expect(try store.bytes(of: next, 1) == noise(10) && store.bytes(of: next, 9) == noise(50))
    }

    @Test("a map or leaves that cannot be used are made anew", arguments: ["map", "leaves", "both", "cut", "of another boot"])
    func unusable(what: String) throws {
        let home = try ScratchHome()
        let image: Image
        do {
            let store = try home.open()
            image = try store.make([1: noise(2)], over: try store.make([0: noise(1)]))
        }
        let (map, leaves) = (home.store + "/maps/" + image.digest.hex, home.store + "/maps/leaves")
        switch what {
        case "map": unlink(map)
        case "leaves": unlink(leaves)
        case "both": for file in [map, leaves] { try [UInt8](repeating: 0, count: 8192).write(to: file) }
        case "cut": truncate(map, 33)
        default:
            let file = try Descriptor(leaves, O_RDWR)
            try Array("another".utf8).withUnsafeBytes { try file.write($0, at: 24) }
        }
        let store = try home.open()
        #expect(try store.bytes(of: image, 0) == noise(1) && store.bytes(of: image, 1) == noise(2))
        let child = try store.make([2: noise(3)], over: image)
        #expect(try store.bytes(of: child, 0) == noise(1) && store.bytes(of: child, 2) == noise(3))
    }

    @Test("a leaf that was taken from under a reader is an error, and never zeroes")
    func lostLeaf() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let image = try store.make([1: noise(2)])
        let reader = try store.reader(of: image)
        let leaves = try Descriptor(home.store + "/maps/leaves", O_RDWR)
        try leaves.punchHole(4096..<8192)
        let error = #expect(throws: ImageError.self) { try reader.bytes(1) }
        #expect(error?.code == "corrupt" && !reader.isZero(1))
        #expect(throws: ImageError.self) { try reader.bytes(7) }
    }

    @Test("a chain's image costs what it changes, however long the chain")
    func chain() throws {
        let home = try ScratchHome()
        let store = try home.open()
        var image = try store.make([0: noise(1), 40_000: noise(2)], bytes: 4 << 30)
        var written: [Int] = []
        for depth in 0..<120 {
            // The layers before are not read again.
            let layers = try store.layers(of: image)
            if depth > 0, let last = layers.dropLast().last { rename(store.chunks.blobs.path(of: last), store.chunks.blobs.path(of: last) + ".away") }
            let (blobs, leaves) = (try home.blobBytes(), try Self.room(home, image).leaves)
            image = try store.make([UInt64(depth * 3 + 1): noise(7)], over: image, bytes: 4 << 30)
            written.append(try home.blobBytes() - blobs + Self.room(home, image).leaves - leaves + Self.room(home, image).root)
        }
        // Each layer is named in config and manifest, which is all that grows; the first stores the chunk.
        #expect(written.dropFirst().allSatisfy { $0 < 48 << 10 })
        #expect(try store.bytes(of: image, 358) == noise(7) && store.bytes(of: image, 40_000) == noise(2))
    }
}
