import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import Disks

@Suite("A FUSE export", .serialized)
struct FUSEExportTests {
    @Test("is a folder with one file of the disk's size, and lets nobody make another")
    func shape() throws {
        guard FUSENeeds.met else { return }
        try Export.with(size: 5 << 20) { export in
            let listing = try sh("ls -a \(export.mountPoint); stat -c '%s %a %F' \(export.disk)")
            #expect(listing == ".\n..\ndisk\n\(5 << 20) 600 regular file\n")
            try sh("! touch \(export.mountPoint)/x; ! rm \(export.disk); ! truncate -s 1 \(export.disk); ! mkdir \(export.mountPoint)/d")
            #expect(try sh("stat -f -c %S \(export.mountPoint)") == "4096\n")
            #expect(try sh("tail -c 3 \(export.disk) | od -An -tx1").trimmingCharacters(in: .whitespacesAndNewlines) == "00 00 00")
            export.backend.size = 6 << 20
            #expect(try sh("stat -c %s \(export.disk)") == "\(6 << 20)\n")
            #expect(export.lines.all.isEmpty)
        }
    }

    @Test("carries bytes unchanged at any offset and length, and reads zeroes where it was punched")
    func bytes() throws {
        guard FUSENeeds.met else { return }
        try Export.with(size: 16 << 20) { export in
            // The model: the same commands on a plain file.
            let model = export.folder + "/model"
            for file in [model, export.disk] {
                try sh(
                    """
                    [ -e \(file) ] || truncate -s \(16 << 20) \(file)
                    seq 1 900000 | head -c 5000001 | dd iflag=fullblock of=\(file) bs=1M seek=777 oflag=seek_bytes conv=notrunc status=none &&
                    printf hello | dd of=\(file) bs=5 seek=16777211 oflag=seek_bytes conv=notrunc status=none &&
                    fallocate -p -o 1000 -l 70001 \(file) && fallocate -z -o 300003 -l 12345 \(file) && sync \(file)
                    """)
            }
            try sh("cmp \(model) \(export.disk) && cmp \(model) \(export.folder)/backing")
            try sh("printf x | dd of=\(export.disk) bs=1 seek=16777216 conv=notrunc status=none", expect: 1)
            let counts = export.backend.counts
            #expect(counts.discards == 1 && counts.zeroes == 1 && counts.flushes >= 1)
            #expect(counts.misaligned == 0)
            #expect(counts.largestWrite > 1 << 19, "requests are \(counts.largestWrite) bytes at most")
        }
    }

    @Test("holds an ext4 through a loop device under fio's verification; what is trimmed is given back")
    func fileSystem() throws {
        guard FUSENeeds.met else { return }
        try Export.with(size: 512 << 20) { export in
            let loop = try LoopDevice.attach(file: export.disk)
            defer { #expect(throws: Never.self) { try loop.detach() } }
            #expect(loop.discardLimit > 0)
            let mnt = export.folder + "/mnt"
            try sh("mkfs.ext4 -q -F -E nodiscard \(loop.path) && mount \(loop.path) \(mnt)")
            try sh(
                """
                cd \(mnt) && fio --name=verify --filename=data --size=96m --rw=randrw --bsrange=4k-256k --ioengine=libaio --iodepth=16 --numjobs=1 \
                --verify=crc32c --verify_fatal=1 --do_verify=1 --direct=1 --runtime=4 --time_based --output=\(export.folder)/fio.log || { cat \(export.folder)/fio.log; exit 1; }
                """)
            #expect(export.backend.counts.flushes > 0)
            let discards = export.backend.counts.discards
            try sh("rm \(mnt)/data && sync -f \(mnt) && fstrim \(mnt)")
            #expect(export.backend.counts.discards > discards)
            let used = Int(try sh("du -m \(export.folder)/backing | cut -f1").filter(\.isNumber)) ?? Int.max
            #expect(used < 60, "\(used) MiB are still held after the trim")
            try sh("umount \(mnt) && e2fsck -fn \(loop.path)")
            #expect(export.lines.all == [])
        }
    }

    @Test("tells the reader why it failed, and never that a flush is not needed")
    func errors() throws {
        guard FUSENeeds.met else { return }
        struct Other: Error {}
        try Export.with(size: 1 << 20) { export in
            let write = "dd if=/dev/zero of=\(export.disk) bs=4096 count=1 conv=notrunc"
            export.backend.interpose { if $0 == "write" { throw LinuxError("write", "the overlay", code: ENOSPC) } }
            #expect(try sh(write, expect: 1).contains("No space left on device"))
            export.backend.interpose { _ in throw Other() }
            #expect(try sh(write, expect: 1).contains("Input/output error"))
            #expect(try sh("head -c 10 \(export.disk)", expect: 1).contains("Input/output error"))
            for code in [ENOSYS, EINTR, EAGAIN, 0, -3, 512] {
                export.backend.interpose { _ in throw LinuxError("sync", "the overlay", code: code) }
                #expect(try sh("sync \(export.disk)", expect: 1).contains("Input/output error"))
            }
            export.backend.interpose { _ in }
            let flushes = export.backend.counts.flushes
            try sh("sync \(export.disk) && \(write)")
            #expect(export.backend.counts.flushes == flushes + 1)
            #expect(export.lines.all.contains { $0.contains("cannot write the disk at 0, 4096 bytes") && $0.contains("No space left") })
        }
    }

    @Test("stops with every request answered; the mount waits for the next server")
    func stopAndGoOn() throws {
        guard FUSENeeds.met else { return }
        try Export.with(size: 64 << 20) { export in
            let writer = try Command("dd", ["if=/dev/zero", "of=\(export.disk)", "bs=64k", "count=1000", "conv=notrunc", "status=none"]).start()
            for _ in 0..<5 {
                usleep(20000)
                export.server.stop()
                try export.takeOver()
            }
            #expect(try waitForExit(of: writer) == .exited(0))
            // Idle, all threads block in read(2).
            export.server.stop()
            try export.takeOver()
            try sh("cmp -n 65536000 /dev/zero \(export.disk)")
            #expect(export.lines.all == [])
            #expect(throws: DiskError.self) { try export.server.start() }
        }
    }
}
