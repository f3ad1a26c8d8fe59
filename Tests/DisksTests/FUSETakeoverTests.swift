import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import Disks

@Suite("A takeover", .serialized)
struct FUSETakeoverTests {
    /// Holds every operation until it is broken, which makes them all fail: what a dead server's threads do no more.
    final class Gate: Sendable {
        struct Broken: Error {}
        private let state = Mutex((waiting: 0, broken: false))
        var waiting: Int { state.withLock { $0.waiting } }
        func breakDown() { state.withLock { $0.broken = true } }
        func pass() throws {
            state.withLock { $0.waiting += 1 }
            while !state.withLock({ $0.broken }) { usleep(1000) }
            throw Broken()
        }
    }

    @Test("completes what the dead server had taken and not answered")
    func inFlight() throws {
        guard FUSENeeds.met else { return }
        try Export.with(size: 64 << 20) { export in
            let gate = Gate()
            export.backend.interpose { _ in try gate.pass() }
            try sh("seq 1 5000000 | head -c 8388608 > \(export.folder)/data")
            let writers = try (0..<4).map { index in
                try Command("sh", ["-c", "dd if=\(export.folder)/data of=\(export.disk) bs=1M seek=\(index * 8) oflag=direct conv=notrunc,fsync status=none"])
                    .start()
            }
            waitUntil(lookingEvery: 1000, atMost: 5000) { gate.waiting >= 4 }
            #expect(gate.waiting == 4, "every thread holds a request")
            let dead = export.server
            dead.abandon()
            export.backend.interpose { _ in }
            try export.takeOver()
            for writer in writers { #expect(try waitForExit(of: writer) == .exited(0)) }
            // Only now do the old threads wake up; they say nothing any more.
            gate.breakDown()
            dead.wait()
            for index in 0..<4 { try sh("cmp -n 8388608 \(export.folder)/data \(export.folder)/backing 0 \(index * 8 << 20)") }
            try sh("cmp \(export.disk) \(export.folder)/backing")
        }
    }

    @Test("eight times under a busy ext4 loses nothing")
    func busy() throws {
        guard FUSENeeds.met else { return }
        try Export.with(size: 512 << 20) { export in
            let loop = try LoopDevice.attach(file: export.disk)
            defer { #expect(throws: Never.self) { try loop.detach() } }
            let mnt = export.folder + "/mnt"
            try sh("mkfs.ext4 -q -F \(loop.path) && mount \(loop.path) \(mnt)")
            let script =
                """
                cd \(mnt) && fio --name=verify --filename=data --size=64m --rw=randwrite --bs=16k --ioengine=libaio --iodepth=16 --verify=crc32c \
                --verify_fatal=1 --do_verify=1 --direct=1 --loops=6 --fsync=64 --output=\(export.folder)/fio.log || { cat \(export.folder)/fio.log; exit 1; }
                """
            let worker = try Command("sh", ["-c", script]).start()
            var abandonedBusy = 0
            for _ in 0..<8 {
                usleep(150_000)
                let before = export.backend.counts.writes + export.backend.counts.reads
                export.server.abandon()
                // A thread of a dead server that is idle blocks in read(2) and would take one more request; a dead process has no threads.
                export.server.stop()
                if export.backend.counts.writes + export.backend.counts.reads > before { abandonedBusy += 1 }
                try export.takeOver()
            }
            #expect(try waitForExit(of: worker) == .exited(0))
            #expect(abandonedBusy > 0, "no takeover met a busy server")
            try sh("umount \(mnt) && e2fsck -fn \(loop.path)")
            #expect(export.lines.all == [])
        }
    }
}
