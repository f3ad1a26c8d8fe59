import ChunkStore
import Foundation
import Glibc
import Linux
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite("The store's upkeep")
struct UpkeepTests {
    @Test("gc forgets what was noted of images that are gone, and of recipes of which nothing is here; what a build may ask for stays")
    func records() throws {
        let home = try ScratchHome()
        do {
            let store = try home.open()
            let (kept, lost) = (try store.make([0: noise(1)]), try store.make([0: noise(2)]))
            try store.tag("kept", kept)
            try store.recordBuild("built", kept)
            try store.cache("key", image: kept, recipe: "cached", step: "s", record: ["a": "b"])
            try store.note(recipe: "built", step: "s", record: ["a": "b"])
            try store.note(recipe: "forgotten", step: "s", record: ["a": "b"])
            for (name, image) in [("of the kept", kept), ("of the lost", lost)] {
                try store.note(recipe: name, step: "build", record: ["image": image.digest.description])
            }
        }
        let store = try home.open()
        _ = try store.collectGarbage()
        func isThere(_ recipe: String, _ step: String) throws -> Bool { try store.lastRecord(recipe: recipe, step: step) != nil }
        #expect(try isThere("cached", "s") && isThere("built", "s") && isThere("of the kept", "build"))
        #expect(try !isThere("forgotten", "s") && !isThere("of the lost", "build"))
        _ = try store.collectGarbage(cacheDays: 0)
        #expect(try !isThere("cached", "s") && isThere("built", "s"))
    }

    @Test("gc keeps what names, pins and the cache reach, and drops the rest")
    func collect() throws {
        let home = try ScratchHome()
        var images: [Image] = []
        do {
            let store = try home.open()
            for seed in 0..<5 { images.append(try store.make([0: noise(UInt64(seed) + 1), 1: noise(100)])) }
            try store.tag("named", images[0])
            try store.pin("machine-web", [images[1].digest])
            try store.cache("key", image: images[2], recipe: "r", step: "s", record: [:])
            // The one who made them may still want to name the others.
            #expect(try home.open().collectGarbage().images == 0)
        }
        let store = try home.open()
        let reader = try store.reader(of: images[3])
        let first = try store.collectGarbage()
        #expect(first.images == 1 && first.chunks == 1 && first.bytes > 65536)
        #expect(try reader.bytes(0) == noise(4))
        for (image, seed) in zip(images[..<3], 1...) { #expect(try store.bytes(of: image, 0) == noise(UInt64(seed))) }
        #expect(throws: ImageError.self) { try store.image(images[4].digest) }
        #expect(throws: ImageError.self) { try store.tag("late", images[4]) }
        #expect(throws: ImageError.self) { try store.pin("late", [images[4].digest]) }

        withExtendedLifetime(reader) {}
        try store.untag("named")
        try store.unpin("machine-web")
        let last = try home.open().collectGarbage(cacheDays: 0)
        #expect(last.cacheEntries == 1 && last.images >= 3)
        #expect(try store.verify().problems.isEmpty)
    }

    @Test("a store whose images are all gone is empty again")
    func collectAll() throws {
        let home = try ScratchHome()
        try home.open().make([0: noise(1), 3: noise(2)])
        #expect(try home.open().collectGarbage().packs == 1)
        #expect(try home.files("blobs/sha256").isEmpty && home.files("maps") == ["leaves"] && home.files("tmp").isEmpty)
    }

    @Test("what little is left of a pack is written anew, under an open reader, and keeps its place in the image")
    func compact() throws {
        let home = try ScratchHome()
        let kept: Image
        do {
            let store = try home.open()
            let big = try store.make(Dictionary(uniqueKeysWithValues: (0..<40).map { (UInt64($0), Optional(noise(UInt64($0) + 1))) }))
            kept = try store.make([0: noise(3), 9: noise(30)])
            try store.tag("kept", kept)
            #expect(big.digest != kept.digest)
        }
        // As in another process: it has looked up where the chunks are, and has opened nothing.
        let other = try home.open()
        let reader = try other.reader(of: kept)
        #expect(try other.inspect(kept).allocatedBytes == 131_072)
        let before = try home.blobBytes()
        let collected = try home.open().collectGarbage()
        #expect(collected.chunks == 38 && collected.bytes > 30 * 65536)
        #expect(try home.blobBytes() < before / 3)
        #expect(try reader.bytes(0) == noise(3))
        #expect(try reader.bytes(9) == noise(30))
        #expect(try home.open().verify().problems.isEmpty)
        #expect(try home.open().collectGarbage().bytes == 0)
        // And what was dropped can be stored again.
        let again = try other.make([0: noise(7)])
        #expect(try other.bytes(of: again, 0) == noise(7))
    }

    @Test("eight writers, a collector and one that repacks lose nothing")
    func concurrentWriters() throws {
        let home = try ScratchHome()
        _ = try home.open()
        let failures = Mutex<[String]>([])
        let writing = Mutex(8)
        let writers = try (0..<8).map { thread in
            try PlainThread {
                defer { writing.withLock { $0 -= 1 } }
                do {
                    let store = try home.open()
                    for round in 0..<6 {
                        // The same chunks from all, so that each counts on what another has just stored, or lost.
                        let image = try store.make([0: noise(UInt64(round) + 1), 1: noise(UInt64(thread) * 100 + UInt64(round) + 50), 2: noise(999)])
                        if round % 3 == 0 { try store.tag("t\(thread):\(round)", image) }
                        let right = try store.bytes(of: image, 0) == noise(UInt64(round) + 1) && store.bytes(of: image, 2) == noise(999)
                        if !right { failures.withLock { $0.append("wrong bytes") } }
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        let collectors = try [false, true].map { repack in
            try PlainThread {
                do {
                    let store = try home.open()
                    while writing.withLock({ $0 > 0 }) { _ = try store.collectGarbage(cacheDays: 0, repack: repack) }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        for thread in writers + collectors { thread.join() }
        #expect(failures.withLock { $0 } == [])
        let store = try home.open()
        _ = try store.collectGarbage(cacheDays: 0)
        #expect(try store.references().count == 16)
        #expect(try store.verify().problems.isEmpty)
    }

    @Test("damage is found, named, and never read as data")
    func corruption() throws {
        let home = try ScratchHome()
        let (bad, good): (Image, Image)
        do {
            let store = try home.open()
            bad = try store.make([0: noise(1)])
            good = try store.make([0: noise(2)])
            try store.tag("bad", bad)
            try store.tag("good", good)
        }
        let pack = try #require(try home.open().chunks.packDigests().first)
        let file = try Descriptor(home.store + "/blobs/sha256/" + pack.hex, O_RDWR)
        try [UInt8]([0x5A, 0xA5]).withUnsafeBytes { try file.write($0, at: 30_000) }
        let store = try home.open()
        let error = #expect(throws: ImageError.self) { try store.bytes(of: bad, 0) }
        #expect(error?.code == "corrupt" && error?.description.contains(pack.hex) == true)
        #expect(try store.bytes(of: good, 0) == noise(2))
        let found = try store.verify()
        #expect(!found.problems.isEmpty && found.problems.allSatisfy { $0.images == ["bad:latest"] })
        #expect(try store.verify([good]).problems.isEmpty)
        #expect(try !store.verify([bad]).problems.isEmpty)
        // A layer's map is checked too.
        let layer = try store.layers(of: good)[0]
        try FileManager.default.removeItem(atPath: store.chunks.blobs.path(of: layer))
        #expect(try store.verify().problems.contains { $0.images == ["good:latest"] })
    }

    @Test("the index can be lost or damaged: it is found again from the blobs, and no gc takes anything", arguments: ["lost", "damaged", "whole"])
    func rebuild(state: String) throws {
        let home = try ScratchHome()
        let (image, cached): (Image, Image)
        do {
            let store = try home.open()
            image = try store.make([0: noise(1), 5: noise(2)], over: try store.make([3: noise(3)]))
            cached = try store.make([1: noise(4)], cacheKey: "key")
            try store.tag("a", image)
            try store.cache("key", image: cached, recipe: "r", step: "s", record: ["x": "y"])
            try store.pin("machine-m", [image.digest])
        }
        let index = home.store + "/index.sqlite"
        let store: ImageStore
        switch state {
        case "lost":
            for part in ["", "-wal", "-shm"] { unlink(index + part) }
            store = try home.open()
        case "damaged":
            for part in ["-wal", "-shm"] { unlink(index + part) }
            try [UInt8](repeating: 0x55, count: 40_000).write(to: index)
            let error = #expect(throws: StoreError.self) { _ = try home.open() }
            #expect(error?.fix?.contains("--rebuild-index") == true)
            store = try ImageStore.rebuildingIndex(home: home.path)
        default:
            let reader = try home.open().reader(of: image)
            store = try ImageStore.rebuildingIndex(home: home.path)
            #expect(try reader.bytes(5) == noise(2))
            #expect(try store.lastRecord(recipe: "r", step: "s") == ["x": "y"])
        }
        _ = try store.collectGarbage()
        #expect(try store.resolve("a") == image)
        #expect(try store.cached("key") == cached)
        #expect(try store.bytes(of: image, 0) == noise(1) && store.bytes(of: image, 3) == noise(3))
        #expect(try store.verify().problems.isEmpty)
        // Known chunks are known again.
        let before = try home.blobBytes()
        try store.make([60: noise(1), 61: noise(3)])
        #expect(try home.blobBytes() - before < 4096)
    }
}

extension [UInt8] {
    func write(to path: String) throws { try replaceFile(path, with: self) }
}
