import CLinux
import Foundation
import Glibc
import Linux
import Synchronization
import TestSupport
import Testing

@testable import Disks

@Suite("Disk")
struct DiskTests {
    @Test("a disk of 1 TiB takes only what was written, on the disk and in shared memory")
    func sparse() throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path + "/a"
        let live = try liveMemory()
        let size: Int64 = 1 << 40
        let places = [0, 65_536 * 3 + 5000, 1 << 30, 700 << 30, (1 << 40) - 3]
        func open(_ overlay: Overlay) throws -> Disk { try Disk(source: nil, overlay: overlay) }
        func write() throws {
            let disk = try open(try Overlay.create(in: folder, size: size, liveState: live))
            for place in places { try disk.write([7, 8, 9], at: place) }
            // Reading takes no memory.
            for gigabyte in stride(from: 0, to: 1024, by: 16) { #expect(try disk.bytes(gigabyte << 30 | 99_999..<gigabyte << 30 | 100_001) == [0, 0]) }
            try disk.flush()
            #expect(disk.dirtyBytes == 5 * 4096)
        }
        try write()
        func blocks(_ path: String) -> Int {
            var info = stat()
            stat(path, &info)
            return Int(info.st_blocks) * 512
        }
        #expect(blocks(folder + "/data") < 200_000)
        #expect(blocks(folder + "/state") < 200_000)
        #expect(blocks("/proc/self/fd/\(live.raw)") < 100_000)
        for live in [live, nil] {
            let disk = try open(try Overlay.open(folder, liveState: live))
            for place in places { #expect(try disk.bytes(place..<place + 3) == [7, 8, 9]) }
            #expect(disk.dirtyBytes == 5 * 4096)
        }
        let disk = try open(try Overlay.open(folder))
        let sealed = try disk.seal(next: try Overlay.create(in: scratch.path + "/b", size: size))
        #expect(sealed.changedChunks() == places.map { UInt64($0 / 65536) })
    }

    @Test("threads that share blocks never lose each other's bytes, through seals and flushes")
    func threads() throws {
        let scratch = try ScratchFolder()
        let size = 300_000
        let slot = 700
        let disk = try Disk(source: MemorySource(randomBytes(size, seed: 4)), overlay: try Overlay.create(in: scratch.path + "/0", size: Int64(size)))
        let finished = Atomic<Int>(0)
        let sealed = Atomic<Int>(0)
        let problems = Mutex<[String]>([])
        let last = Mutex<[Int: [UInt8]]>([:])
        let writers = try (0..<4).map { writer in
            try PlainThread {
                var random = SplitMix(state: UInt64(writer))
                let pool = randomBytes(10_000, seed: UInt64(writer) + 50)
                var mine: [Int: [UInt8]] = [:]
                do {
                    // Until both have met often enough, however slow the host's syncs are.
                    for round in 0... {
                        if round >= 1500, sealed.load(ordering: .sequentiallyConsistent) >= 5 { break }
                        let place = (Int.random(in: 0..<size / slot / 4, using: &random) * 4 + writer) * slot
                        let start = Int.random(in: 0..<9000, using: &random)
                        if start.isMultiple(of: 5) {
                            mine[place] = [UInt8](repeating: 0, count: slot)
                            try disk.discard(at: Int64(place), length: Int64(slot))
                        } else {
                            mine[place] = Array(pool[start..<start + slot])
                            try disk.write(mine[place]!, at: place)
                        }
                        if try disk.bytes(place..<place + slot) != mine[place] { problems.withLock { $0.append("writer \(writer) at \(place)") } }
                    }
                } catch { problems.withLock { $0.append("\(error)") } }
                last.withLock { $0.merge(mine) { $1 } }
                finished.wrappingAdd(1, ordering: .sequentiallyConsistent)
            }
        }
        let flusher = try PlainThread {
            while finished.load(ordering: .sequentiallyConsistent) < 4 {
                do { try disk.flush() } catch { problems.withLock { $0.append("\(error)") } }
            }
        }
        var seals = 0
        while finished.load(ordering: .sequentiallyConsistent) < 4, seals < 200 {
            seals += 1
            // One that fails must not keep the writers going.
            defer { sealed.store(seals, ordering: .sequentiallyConsistent) }
            do { try disk.seal(next: try Overlay.create(in: "\(scratch.path)/\(seals)", size: Int64(size))) } catch {
                problems.withLock { $0.append("\(error)") }
            }
        }
        for thread in writers + [flusher] { thread.join() }
        #expect(problems.withLock { $0 } == [])
        #expect(seals >= 5)
        for (place, bytes) in last.withLock({ $0 }) { #expect(try disk.bytes(place..<place + slot) == bytes) }
    }

    @Test("one flush serves all who came before it began; each gets its own error")
    func groupedFlush() throws {
        let gate = FlushGate()
        let runs = Atomic<Int>(0)
        let threads = try (0..<16).map { _ in
            try PlainThread {
                do {
                    for _ in 0..<10 {
                        try gate.run {
                            runs.wrappingAdd(1, ordering: .relaxed)
                            usleep(2000)
                        }
                    }
                } catch {}
            }
        }
        for thread in threads { thread.join() }
        #expect((10...60).contains(runs.load(ordering: .relaxed)))
        #expect(throws: DiskError.self) { try gate.run { throw DiskError("test", "no") } }
        try gate.run {}
    }

    @Test("a full host is an error with the kernel's code, and nothing that was written is lost")
    func noSpace() throws {
        guard geteuid() == 0 else { return }
        let scratch = try ScratchFolder()
        try mount("tmpfs", at: scratch.path, type: "tmpfs", options: "size=1m")
        defer { try? unmount(scratch.path, lazily: true) }
        let disk = try Disk(source: nil, overlay: try Overlay.create(in: scratch.path + "/a", size: 16 << 20))
        let bytes = randomBytes(500_000, seed: 8)
        try disk.write(bytes, at: 1000)
        try disk.flush()
        let error = #expect(throws: LinuxError.self) { try disk.write(randomBytes(1 << 20, seed: 9), at: 4 << 20) }
        #expect(error?.code == ENOSPC)
        #expect(try disk.bytes(1000..<501_000) == bytes)
        try disk.discard(at: 4 << 20, length: 1 << 20)
        try disk.discard(at: 0, length: 300_000)
        try disk.write([1], at: 5 << 20)
        try disk.flush()
        #expect(try disk.bytes(300_000..<501_000) == Array(bytes[299_000...]))
    }

    @Test("an image that is read in order is fetched ahead; one that is read at random is not")
    func readAhead() throws {
        let scratch = try ScratchFolder()
        let source = MemorySource([UInt8](repeating: 1, count: 8 << 20))
        let disk = try Disk(source: source, overlay: try Overlay.create(in: scratch.path + "/a", size: 8 << 20))
        for index in [5, 90, 40, 120, 70, 20, 105, 57] { _ = try disk.bytes(index * 65536..<index * 65536 + 4096) }
        usleep(50_000)
        #expect(source.prefetched.withLock { $0 } == [])
        for index in 0..<40 { _ = try disk.bytes(index * 131_072..<(index + 1) * 131_072) }
        var ahead: [Range<UInt64>] = []
        for _ in 0..<100 {
            usleep(10_000)
            ahead = source.prefetched.withLock { $0 }
            if let last = ahead.last, last.upperBound > 80 { break }
        }
        #expect((ahead.last?.upperBound ?? 0) > 80)
        for (one, next) in zip(ahead, ahead.dropFirst()) { #expect(one.upperBound <= next.lowerBound) }
    }

    @Test("packing leaves out what equals the image, and marks zeroes")
    func packing() throws {
        let scratch = try ScratchFolder()
        let image = randomBytes(400_000, seed: 11)
        let source = MemorySource(image)
        let disk = try Disk(source: source, overlay: try Overlay.create(in: scratch.path + "/a", size: 500_000))
        try disk.write(Array(image[70_000..<80_000]), at: 70_000)
        try disk.discard(at: 131_072, length: 65_536)
        try disk.discard(at: 420_000, length: 50_000)
        try disk.seal(next: try Overlay.create(in: scratch.path + "/b", size: 500_000))
        try disk.write([1, 2, 3], at: 499_997)
        try disk.seal(next: try Overlay.create(in: scratch.path + "/c", size: 500_000))
        func pack(_ skipping: Bool) throws -> [UInt64: Int?] {
            var found: [UInt64: Int?] = [:]
            try packSealed(disk.sealed, over: source, skippingUnchanged: skipping) { found.updateValue($1?.count, forKey: $0) }
            return found
        }
        #expect(try pack(true) == [2: nil, 7: 500_000 - 7 * 65536])
        #expect(try pack(false) == [1: 65536, 2: nil, 6: 65536, 7: 500_000 - 7 * 65536])
    }

    @Test("what cannot be is refused with a reason")
    func refusals() throws {
        let scratch = try ScratchFolder()
        let live = try liveMemory()
        let disk = try Disk(source: nil, overlay: try Overlay.create(in: scratch.path + "/a", size: 100_000, liveState: live))
        func code(_ body: () throws -> Void) -> String {
            do { try body() } catch { return (error as? DiskError)?.code ?? "\(error)" }
            return "none"
        }
        #expect(code { _ = try Overlay.open(scratch.path + "/a") } == "busy")
        #expect(code { _ = try Overlay.create(in: scratch.path + "/b", size: 100_000, liveState: live) } == "foreignState")
        #expect(code { _ = try disk.bytes(99_999..<100_001) } == "outOfRange")
        #expect(code { try disk.write([1], at: -1) } == "outOfRange")
        #expect(code { try disk.discard(at: 1, length: .max) } == "outOfRange")
        #expect(code { try disk.seal(next: try Overlay.create(in: scratch.path + "/c", size: 99_999)) } == "invalid")
        let top = try disk.overlay
        for name in ["d", "e"] { try disk.seal(next: try Overlay.create(in: scratch.path + "/" + name, size: 100_000)) }
        #expect(code { try disk.rebase(source: nil, dropping: ["d"]) } == "invalid")
        try disk.rebase(source: nil, dropping: ["a"])
        #expect(disk.sealed.map(\.id) == ["d"])
        #expect(code { try [UInt8(1)].withUnsafeBytes { try top.write($0, at: 0) } } == "sealed")
        // A larger disk over a smaller stack: zeroes follow.
        let grown = try Disk(source: nil, sealed: disk.sealed, overlay: try Overlay.create(in: scratch.path + "/f", size: 1 << 20))
        #expect(try grown.bytes(99_000..<200_000).allSatisfy { $0 == 0 })
        #expect(code { _ = try Disk(source: nil, sealed: disk.sealed, overlay: try Overlay.create(in: scratch.path + "/g", size: 10)) } == "invalid")
    }

    @Test("XXH64 has the values of its specification")
    func xxhash() {
        func hash(_ text: String, _ seed: UInt64 = 0) -> UInt64 { Array(text.utf8).withUnsafeBytes { XXHash64.hash($0, seed: seed) } }
        #expect(hash("") == 0xEF46_DB37_51D8_E999)
        #expect(hash("abc") == 0x44BC_2CF5_AD77_0999)
        #expect(hash("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
        #expect(hash("xxhash", 20_141_025) == 13_067_679_811_253_438_005)
    }
}
