import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import ChunkStore
@testable import Images

@Suite("Repacking")
struct RepackTests {
    /// Text that compresses, and the better the more of it is together.
    static func prose(_ seed: UInt64) -> [UInt8] {
        let words = ["terrine", "chunk", "layer", "frame", "pack", "image", "of", "a", "the", "disk", "holds", "reads", "and"]
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        var bytes: [UInt8] = []
        while bytes.count < 65536 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            bytes += Array("\(words[Int(state % 13)]) \(state >> 52) ".utf8)
        }
        return Array(bytes[..<65536])
    }

    static func some(_ range: Range<UInt64>, seed: UInt64 = 0) -> [UInt64: [UInt8]?] {
        Dictionary(uniqueKeysWithValues: range.map { ($0, Optional(prose($0 + seed))) })
    }

    @Test("the same chunks in smaller packs, under the same numbers, while others read; and only once")
    func repack() throws {
        let home = try ScratchHome()
        let (base, child): (Image, Image)
        do {
            let store = try home.open()
            base = try store.make(Self.some(0..<40), bytes: 64 * 65536 + 100)
            child = try store.make([7: Self.prose(900), 40: nil, 50: Self.prose(901), 64: Array(Self.prose(902)[..<100])], over: base, bytes: 64 * 65536 + 100)
            try store.tag("base", base)
            try store.tag("child", child)
            try store.make(Self.some(0..<20, seed: 5000))
        }
        let reading = try home.open()
        let reader = try reading.reader(of: child)
        let stop = Atomic(false)
        let wrong = Mutex<[String]>([])
        let thread = try PlainThread {
            // It looks everything up, and then reads it where it no longer is.
            while !stop.load(ordering: .relaxed) {
                for index in UInt64(0)..<40 where index != 7 {
                    do { if try reader.bytes(index) != Self.prose(index) { wrong.withLock { $0.append("wrong bytes at \(index)") } } } catch {
                        wrong.withLock { $0.append("\(error)") }
                    }
                }
            }
        }
        usleep(50_000)
        let store = try home.open()
        let (before, numbers) = (try home.blobBytes(), try store.map(of: child).numbers())
        let done = try store.collectGarbage(repack: true)
        usleep(50_000)
        stop.store(true, ordering: .relaxed)
        thread.join()
        #expect(wrong.withLock { $0 } == [])
        #expect(done.images == 1 && done.repacked?.chunks == 43)
        #expect(try home.blobBytes() < before * 3 / 4)
        #expect(try store.map(of: child).numbers() == numbers && reader.bytes(64, 100) == Array(Self.prose(902)[..<100]))
        #expect(try store.verify().problems.isEmpty)
        var frames: [PackFormat.Frame] = []
        for pack in try store.chunks.packDigests() {
            let path = store.chunks.blobs.path(of: pack)
            #expect(try Command("zstd", ["-qt", path]).capture().status == .exited(0))
            let found = try PackFormat.read(Descriptor(path, O_RDONLY), bytes: try #require(store.chunks.blobs.size(of: pack)))
            frames += try #require(found).map(\.frame)
        }
        // The base from its beginning, then what the child has beside it.
        #expect(frames.map(\.chunks.count) == [16, 16, 8, 1, 1, 1])

        #expect(try home.open().collectGarbage(repack: true).repacked?.packs == 0)
        let more = try store.make([60: Self.prose(903)], over: child, bytes: 64 * 65536 + 100)
        try store.tag("more", more)
        #expect(try home.open().collectGarbage(repack: true).repacked?.chunks == 1)
        // Found again from the packs, they are packs as any.
        for part in ["", "-wal", "-shm"] { unlink(home.store + "/index.sqlite" + part) }
        #expect(try home.open().bytes(of: more, 60) == Self.prose(903))
    }

    @Test("what is left of a repacked pack stays as small as it was")
    func compact() throws {
        let home = try ScratchHome()
        let (base, kept): (Image, Image)
        do {
            let store = try home.open()
            base = try store.make(Self.some(0..<40))
            kept = try store.make(Self.some(0..<16))
            try store.tag("base", base)
            try store.tag("kept", kept)
            _ = try store.collectGarbage(repack: true)
            try store.untag("base")
        }
        let stored = try home.open().inspect(kept).storedBytes
        #expect(try home.open().collectGarbage().chunks == 24)
        let store = try home.open()
        #expect(try store.inspect(kept).storedBytes == stored)
        #expect(try store.collectGarbage(repack: true).repacked?.packs == 0)
        #expect(try store.bytes(of: kept, 9) == Self.prose(9) && store.verify().problems.isEmpty)
    }

    @Test("a chunk that cannot be read stays where it is, for verify to tell")
    func damage() throws {
        let home = try ScratchHome()
        let image: Image
        do {
            let store = try home.open()
            image = try store.make(Self.some(0..<12))
            try store.tag("a", image)
            _ = try store.make(Self.some(0..<12, seed: 100))
        }
        let pack = try #require(try home.open().chunks.packDigests().first)
        let file = try Descriptor(home.store + "/blobs/sha256/" + pack.hex, O_RDWR)
        try [UInt8]([0x5A, 0xA5]).withUnsafeBytes { try file.write($0, at: 3000) }
        let store = try home.open()
        _ = try store.collectGarbage(repack: true)
        #expect(throws: ImageError.self) { try home.open().bytes(of: image, 0) }
        #expect(try home.files("blobs/sha256").contains(pack.hex) && !home.open().verify().problems.isEmpty)
    }
}
