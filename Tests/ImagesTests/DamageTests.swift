import ChunkStore
import Foundation
import GRDB
import Glibc
import Linux
import TestSupport
import Testing

@testable import Images

@Suite("Damage")
struct DamageTests {
    /// A home with a chain of images and one beside it, and a whole copy of it.
    private func makeTwo() throws -> (home: ScratchHome, copy: ScratchHome, images: [Image]) {
        let (home, copy) = (try ScratchHome(), try ScratchHome())
        var images: [Image] = []
        do {
            let store = try home.open()
            for round in 0..<3 {
                let chunks = Dictionary(uniqueKeysWithValues: (0..<6).map { (UInt64($0 + round), Optional(noise(UInt64(round * 100 + $0)))) })
                images.append(try store.make(chunks, over: images.last))
                try store.tag("i:\(round)", images[round])
            }
            images.append(try store.make([0: noise(777), 9: noise(778)]))
            try store.tag("beside", images[3])
        }
        try FileManager.default.removeItem(atPath: copy.path)
        try FileManager.default.copyItem(atPath: home.path, toPath: copy.path)
        return (home, copy, images)
    }

    private func flip(_ path: String, _ offset: Int64) throws {
        let file = try Descriptor(path, O_RDWR)
        var byte: [UInt8] = [0]
        _ = try byte.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
        byte[0] ^= 0x20
        try byte.withUnsafeBytes { try file.write($0, at: offset) }
    }

    private func expectWhole(_ home: ScratchHome, _ images: [Image], _ what: Comment) throws {
        let store = try home.open()
        #expect(try store.verify().problems.map(\.message) == [], what)
        for round in 0..<3 { #expect(try store.bytes(of: images[round], UInt64(round)) == noise(UInt64(round * 100)), what) }
        #expect(try store.bytes(of: images[3], 9) == noise(778), what)
    }

    @Test("a flipped byte anywhere in a pack, layer, config or manifest is found by verify, and mended from a copy")
    func everywhere() throws {
        let (home, copy, images) = try makeTwo()
        let blobs = try home.files("blobs/sha256").sorted()
        var flips = 0
        for blob in blobs {
            // A repaired pack may have another name.
            let path = home.store + "/blobs/sha256/" + blob
            guard let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int else { continue }
            let places = size > 10_000 ? [10, size / 2, size - 250, size - 100, size - 30, size - 3] : [0, size / 2, size - 1]
            for place in places where access(path, F_OK) == 0 {
                try flip(path, Int64(place))
                let what: Comment = "byte \(place) of \(size) of \(blob)"
                #expect(try !home.open().verify().problems.isEmpty, what)
                _ = try home.open().repair(from: ImageStore.existing(at: copy.path))
                try expectWhole(home, images, what)
                flips += 1
            }
        }
        #expect(flips > 20)
        try expectWhole(copy, images, "the copy")
    }

    @Test("a flipped letter of a name is found by verify, and the image can be named again")
    func name() throws {
        let (home, _, images) = try makeTwo()
        let path = home.store + "/index.json"
        let text = String(decoding: try readFile(path), as: UTF8.self)
        let place = try #require(text.range(of: "\"beside:"))
        try flip(path, Int64(text.utf8.distance(from: text.startIndex, to: place.lowerBound)) + 1)
        let store = try home.open()
        #expect(try store.verify().problems.map(\.images) == [["Beside:latest"]])
        try store.tag("beside", images[3])
        try store.untag("Beside:latest")
        #expect(try store.references().map(\.name) == ["beside:latest", "i:0", "i:1", "i:2"])
        #expect(try store.verify().problems.isEmpty)
    }

    @Test("what is missing is mended too, from a store that packed the same differently, by its folder; nothing else is touched")
    func missing() throws {
        let (home, _, images) = try makeTwo()
        let other = try ScratchHome()
        do {
            let store = try other.open()
            _ = try store.make([1: noise(5), 2: noise(778), 3: noise(204)])
            var parent: Image?
            for round in 0..<3 {
                let chunks = Dictionary(uniqueKeysWithValues: (0..<6).map { (UInt64($0 + round), Optional(noise(UInt64(round * 100 + $0)))) })
                parent = try store.make(chunks, over: parent)
            }
            _ = try store.make([0: noise(777), 9: noise(778)])
        }
        for blob in try home.files("blobs/sha256") { unlink(home.store + "/blobs/sha256/" + blob) }
        #expect(try home.open().verify().problems.count > 4)
        let repaired = try home.open().repair(from: ImageStore.existing(at: other.store))
        #expect(repaired.blobs > 6 && repaired.chunks > 15)
        try expectWhole(home, images, "all blobs were gone")
        #expect(throws: ImageError.self) { try ImageStore.existing(at: home.path + "/nowhere") }
    }

    @Test("without a copy the rest of a damaged pack is saved, what is lost is said, and other images stay whole")
    func alone() throws {
        let home = try ScratchHome()
        let (bad, good): (Image, Image)
        do {
            let store = try home.open()
            bad = try store.make(Dictionary(uniqueKeysWithValues: (0..<12).map { (UInt64($0), Optional(noise(UInt64($0) + 1))) }))
            good = try store.make([0: noise(9)])
            try store.tag("bad", bad)
            try store.tag("good", good)
        }
        let pack = try #require(try home.open().chunks.packDigests().first)
        let path = home.store + "/blobs/sha256/" + pack.hex
        try flip(path, 100)
        #expect(try home.open().repair(from: nil).chunks == 0)
        let store = try home.open()
        let problems = try store.verify().problems
        #expect(!problems.isEmpty && problems.allSatisfy { $0.images == ["bad:latest"] })
        for index in 4..<12 { #expect(try store.bytes(of: bad, UInt64(index)) == noise(UInt64(index) + 1)) }
        #expect(throws: ImageError.self) { try store.bytes(of: bad, 0) }
        #expect(try store.bytes(of: good, 0) == noise(9))
        // Only its end was damaged: nothing is lost, and nobody is needed.
        try store.untag("bad")
        let last = try #require(try store.chunks.packDigests().last)
        let size = try #require(store.chunks.blobs.size(of: last))
        try flip(home.store + "/blobs/sha256/" + last.hex, size - 5)
        _ = try home.open().repair(from: nil)
        #expect(try home.open().bytes(of: good, 0) == noise(9))
    }

    @Test("a flipped byte of the index is an error with a name, or harmless, or found; and an index made anew has everything")
    func index() throws {
        let (home, _, images) = try makeTwo()
        let index = home.store + "/index.sqlite"
        let whole = try readFile(index)
        for place in stride(from: 24, to: whole.count, by: whole.count / 60 + 7) {
            for part in ["-wal", "-shm"] { unlink(index + part) }
            try replaceFile(index, with: whole)
            try flip(index, Int64(place))
            do { _ = try home.open().verify() } catch let error as StoreError {
                #expect(["corrupt", "index", "unsupported"].contains(error.code), "byte \(place): \(error)")
            } catch let error as ImageError { #expect(error.code != "internal", "byte \(place): \(error)") }
            let store = try ImageStore.rebuildingIndex(home: home.path)
            #expect(try store.verify().problems.map(\.message) == [], "byte \(place)")
            #expect(try store.references().count == 4)
        }
        try expectWhole(home, images, "in the end")
    }

    @Test("names that cannot be read are an error that says so, and gc then takes nothing")
    func names() throws {
        let (home, _, images) = try makeTwo()
        let names = try readFile(home.store + "/index.json")
        try flip(home.store + "/index.json", 0)
        let error = #expect(throws: ImageError.self) { try home.open().verify() }
        #expect(error?.code == "corrupt" && error?.message.contains("index.json") == true)
        #expect(throws: ImageError.self) { try home.open().collectGarbage(cacheDays: 0) }
        try replaceFile(home.store + "/index.json", with: names)
        try expectWhole(home, images, "after gc")
    }

    @Test("a clock that went back neither loses nor keeps anything for ever")
    func clock() throws {
        let home = try ScratchHome()
        let (cached, loose): (Image, Image)
        do {
            let store = try home.open()
            cached = try store.make([0: noise(1)], cacheKey: "key")
            loose = try store.make([0: noise(2)])
            try store.cache("key", image: cached, recipe: "r", step: "s", record: [:])
            try store.chunks.index.write { try $0.execute(sql: "UPDATE cache SET used = used + 1e7") }
        }
        var future = [timeval(tv_sec: time(nil) + 10_000_000, tv_usec: 0), timeval(tv_sec: time(nil) + 10_000_000, tv_usec: 0)]
        for blob in try home.files("blobs/sha256") { utimes(home.store + "/blobs/sha256/" + blob, &future) }
        try [UInt8](repeating: 0, count: 9).write(to: home.store + "/tmp/1-1")
        utimes(home.store + "/tmp/1-1", &future)
        // Of what seems to come from the future nothing is known: it stays as long as anything that is young, and goes with it.
        #expect(try home.open().collectGarbage(grace: 60).images == 0)
        #expect(try home.open().collectGarbage().images == 1)
        let store = try home.open()
        #expect(throws: ImageError.self) { try store.image(loose.digest) }
        #expect(try store.cached("key") == cached && home.files("tmp").isEmpty)
        // Used now, and so counted from now on.
        #expect(try store.chunks.index.read { try Double.fetchOne($0, sql: "SELECT used FROM cache") ?? 0 } < Date().timeIntervalSince1970 + 1)
        #expect(try store.verify().problems.isEmpty)
    }

    @Test("a disk that is full to the last byte: each thing that is written says so and hurts nothing, and gc makes room", .enabled(if: getuid() == 0))
    func full() throws {
        try onSmallFileSystem { home in
            let kept: Image
            do {
                let store = try home.open()
                kept = try store.make([0: noise(1)])
                try store.tag("kept", kept)
                _ = try store.make(Dictionary(uniqueKeysWithValues: (0..<40).map { (UInt64($0), Optional(noise(UInt64($0) + 100))) }))
            }
            #expect(try home.files(".").contains("reserve"))
            let ballast = try Descriptor(home.path + "/ballast", O_WRONLY | O_CREAT)
            let block = noise(1)
            var size: Int64 = 0
            for step in [block.count, 1] {
                while (try? block[..<step].withUnsafeBytes { try ballast.write($0, at: size) }) != nil { size += Int64(step) }
            }
            func expectNoSpace(_ body: () throws -> Void) throws {
                do { try body() } catch let error as StoreError {
                    #expect(error.code == "noSpace")
                } catch let error as LinuxError { #expect(error.code == ENOSPC) }
            }
            let store = try home.open()
            try expectNoSpace { _ = try store.make([3: noise(50)]) }
            try expectNoSpace { try store.tag("other", kept) }
            try expectNoSpace { try store.pin("machine-x", [kept.digest]) }
            try expectNoSpace { try store.cache("key", image: kept, recipe: "r", step: "s", record: ["a": String(repeating: "b", count: 20_000)]) }
            #expect(try store.resolve("kept") == kept && store.bytes(of: kept, 0) == noise(1))
            let collected = try home.open().collectGarbage()
            #expect(collected.images == 1 && collected.bytes > 39 * 65536)
            #expect(try home.files(".").contains("reserve"))
            #expect(try home.open().verify().problems.isEmpty)
            let new = try home.open().make([3: noise(50)])
            #expect(try home.open().bytes(of: new, 3) == noise(50))
        }
    }

    @Test("a store that cannot be written can be looked at, and says so when it is written", .enabled(if: getuid() == 0), arguments: [false, true])
    func readOnly(withLog: Bool) throws {
        try onSmallFileSystem { home in
            let image: Image
            do {
                let store = try home.open()
                image = try store.make([0: noise(1)], over: try store.make([2: noise(2)]))
                try store.tag("a", image)
                // As after a process that was killed: the log is still there.
                if withLog {
                    for part in ["", "-wal", "-shm"] {
                        try FileManager.default.copyItem(atPath: home.store + "/index.sqlite" + part, toPath: home.path + "/kept" + part)
                    }
                }
            }
            if withLog {
                for part in ["", "-wal", "-shm"] {
                    unlink(home.store + "/index.sqlite" + part)
                    try FileManager.default.moveItem(atPath: home.path + "/kept" + part, toPath: home.store + "/index.sqlite" + part)
                }
            }
            // Maps are from before the host started again, say.
            for map in try home.files("maps") { unlink(home.store + "/maps/" + map) }
            try run("mount", "-o", "remount,ro", home.path)
            do {
                let store = try home.open()
                #expect(try store.list(all: true).map(\.name) == ["a:latest", nil])
                #expect(try store.inspect(store.resolve("a")).layers.count == 2)
                #expect(try store.history(image).count == 2)
                #expect(try store.bytes(of: image, 2) == noise(2))
                #expect(try store.verify().problems.map(\.message) == [])
                #expect(throws: (any Error).self) { try store.tag("b", image) }
                #expect(throws: (any Error).self) { try store.make([5: noise(5)]) }
                #expect(throws: (any Error).self) { try store.collectGarbage() }
            }
            try run("mount", "-o", "remount,rw", home.path)
            #expect(try home.open().verify().problems.isEmpty)
        }
    }

    /// A file system of 16 MiB in memory.
    private func onSmallFileSystem(_ body: (ScratchHome) throws -> Void) throws {
        let home = try ScratchHome()
        try mount("none", at: home.path, type: "tmpfs", options: "size=16m")
        defer { try? unmount(home.path, lazily: true) }
        try body(home)
    }

    private func run(_ program: String, _ arguments: String...) throws {
        let result = try Command(program, arguments).capture()
        try #require(result.status == .exited(0), "\(result.errors)")
    }
}
