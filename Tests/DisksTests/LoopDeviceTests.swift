import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import Disks

@Suite("A loop device", .serialized)
struct LoopDeviceTests {
    private func withFile(size: Int, _ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "terrine-loop-\(UUID().uuidString)"
        defer { unlink(path) }
        let descriptor = try Descriptor(path, O_RDWR | O_CREAT)
        try check("grow", path) { ftruncate(descriptor.raw, size) }
        try body(path)
    }

    @Test("passes on discards by direct I/O, grows with its file and is gone when it is given back")
    func lifeOnFUSE() throws {
        guard FUSENeeds.met else { return }
        try Export.with(size: 64 << 20) { export in
            let loop = try LoopDevice.attach(file: export.disk)
            let queue = "/sys/block/loop\(loop.number)"
            #expect(readSmallFile(queue + "/loop/dio") == "1\n")
            #expect(readSmallFile(queue + "/queue/logical_block_size") == "4096\n")
            #expect(loop.discardLimit > 0)
            #expect(try sh("blockdev --getsize64 \(loop.path)") == "\(64 << 20)\n")
            export.backend.size = 96 << 20
            try loop.updateCapacity()
            #expect(try sh("blockdev --getsize64 \(loop.path)") == "\(96 << 20)\n")
            try sh("blkdiscard -o 4096 -l 8192 \(loop.path) && blkdiscard -z -o 0 -l 1048576 \(loop.path)")
            #expect(export.backend.counts.discards + export.backend.counts.zeroes >= 2)
            #expect(loop.isAttached)
            try loop.detach()
            #expect(!loop.isAttached)
            try loop.detach()
            #expect(throws: DiskError.self) { try loop.updateCapacity() }
        }
    }

    @Test("is refused for writing when it is read-only, and taken apart when nobody holds it")
    func readOnlyAndAutoclear() throws {
        guard FUSENeeds.met else { return }
        try withFile(size: 1 << 20) { file in
            var loop: LoopDevice? = try LoopDevice.attach(file: file, readOnly: true)
            let path = try #require(loop?.path)
            #expect(try sh("dd if=/dev/zero of=\(path) bs=4096 count=1 status=none", expect: 1).contains("not permitted"))
            loop = nil
            try waitUntil(lookingEvery: 5000, atMost: 1000) { try sh("losetup -j \(file)") == "" }
            #expect(try sh("losetup -j \(file)") == "")
        }
    }

    @Test("is found by many at once, each its own")
    func race() throws {
        guard FUSENeeds.met else { return }
        try withFile(size: 1 << 20) { file in
            let loops = Mutex<[LoopDevice]>([])
            let problems = Mutex<[String]>([])
            let threads = try (0..<8).map { _ in
                try PlainThread {
                    do {
                        for _ in 0..<4 {
                            let loop = try LoopDevice.attach(file: file, readOnly: true)
                            loops.withLock { $0.append(loop) }
                        }
                    } catch { problems.withLock { $0.append("\(error)") } }
                }
            }
            for thread in threads { thread.join() }
            #expect(problems.withLock { $0 } == [])
            let attached = loops.withLock { $0 }
            #expect(Set(attached.map(\.path)).count == 32)
            for loop in attached { try loop.detach() }
            #expect(try sh("losetup -j \(file)") == "")
        }
    }
}
