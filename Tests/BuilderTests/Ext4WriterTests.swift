import ChunkStore
import Foundation
import Testing

@testable import Builder

@Suite("Disks of bases")
struct Ext4WriterTests {
    @Test("the same archive gives the same disk byte for byte, and it is a clean file system", .enabled(if: DiskTools.areThere))
    func deterministic() throws {
        let folder = try TestFolder()
        try folder.sh(
            """
            mkdir -p tree/etc tree/usr/bin tree/var/empty
            for i in $(seq 1 300); do echo "file $i" > tree/etc/file-$i; done
            ln -s ../etc/file-1 tree/usr/bin/link; ln tree/etc/file-2 tree/usr/bin/hard
            head -c 300000 /dev/zero | tr '\\0' x > tree/usr/bin/program; chmod 4755 tree/usr/bin/program
            tar --sort=name --mtime=@1600000000 --owner=0 --group=0 --numeric-owner -cf tree.tar -C tree .
            """)
        let writer = Ext4Writer(size: 256 << 20, journal: 4 << 20, seed: Digest.of(text: "seed"), epoch: 1_700_000_000)
        for name in ["a", "b"] {
            let scratch = try ScratchFolder(home: folder.path, purpose: "test")
            try withExtendedLifetime(scratch) { try writer.write(tar: folder.path + "/tree.tar", to: folder.path + "/" + name, scratch: scratch) }
        }
        try folder.sh("cmp a b; e2fsck -fn a")
        #expect(try folder.sh("debugfs -R 'stat /usr/bin/program' a 2>/dev/null").contains("Mode:  04755"))
        #expect(try folder.sh("debugfs -R 'cat /etc/file-7' a 2>/dev/null") == "file 7")
        // What a build leaves behind is the disk alone.
        #expect(try folder.sh("ls scratch") == "")
    }

    @Test("what a killed build left is removed by the next one")
    func abandonedScratch() throws {
        let folder = try TestFolder()
        try folder.sh("mkdir -p scratch/base-dead/root; echo x > scratch/base-dead/root/file; : > scratch/base-dead.lock")
        let scratch = try ScratchFolder(home: folder.path, purpose: "test")
        #expect(try folder.sh("ls scratch | grep dead || true") == "")
        #expect(FileManager.default.fileExists(atPath: scratch.path))
    }
}
