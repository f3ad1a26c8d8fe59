import Foundation
import Glibc
import Linux
import Testing

@testable import Disks

/// A disk in real use: an ext4 on a loop device with direct I/O on the FUSE export.
@Suite("A disk under ext4", .serialized, .enabled(if: FUSENeeds.met))
struct DiskUnderFUSETests {
    /// Exports `disk` while `body` runs; all I/O on it is done by child processes.
    private func exporting<T>(_ disk: Disk, at folder: String, _ body: (_ file: String) throws -> T) throws -> T {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let server = try FUSEExport(descriptor: try mountFUSE(at: folder), backend: disk, log: { Issue.record("\($0)") })
        try server.start()
        defer {
            if unmountWhenFree(folder) { server.wait() }
        }
        return try body(folder + "/" + exportFileName)
    }

    private func mounting<T>(_ file: String, at folder: String, _ body: () throws -> T) throws -> T {
        let loop = try sh("mkdir -p '\(folder)'; losetup --direct-io=on --find --show '\(file)'").trimmingCharacters(in: .whitespacesAndNewlines)
        defer { _ = try? sh("losetup -d \(loop)") }
        try sh("mount \(loop) '\(folder)'")
        defer { _ = try? sh("fsfreeze -u '\(folder)' 2>/dev/null; umount '\(folder)'", expect: -1) }
        return try body()
    }

    @Test("a fork sealed under a frozen filesystem has what was there, its parent goes on, and both are clean")
    func forkUnderLoad() throws {
        let scratch = try ScratchFolder()
        let size: Int64 = 512 << 20
        func overlay(_ name: String) throws -> Overlay { try Overlay.create(in: scratch.path + "/" + name, size: size, liveState: try liveMemory()) }
        let disk = try Disk(source: nil, overlay: try overlay("parent"))
        var sum = ""
        try exporting(disk, at: scratch.path + "/fuse") { file in
            try sh("mkfs.ext4 -q '\(file)'")
            try mounting(file, at: scratch.path + "/mnt") {
                let mnt = scratch.path + "/mnt"
                let writer = try Command("sh", ["-c", "i=0; while :; do i=$((i+1)); date > '\(mnt)'/busy.$i; [ $((i % 20)) = 0 ] && sync; done"]).start()
                try sh("cp -r /usr/include '\(mnt)'/include; sync")
                sum = try sh("cd '\(mnt)' && find include -type f | sort | xargs -d '\\n' sha256sum | sha256sum")
                try sh("fsfreeze -f '\(mnt)'")
                try disk.seal(next: try overlay("next"))
                try sh("fsfreeze -u '\(mnt)'; rm -rf '\(mnt)'/include; fstrim '\(mnt)'; sync; sleep 0.2")
                kill(writer, SIGKILL)
                _ = try waitForExit(of: writer)
            }
            try sh("e2fsck -fn '\(file)'")
        }
        let fork = try Disk(source: nil, sealed: disk.sealed, overlay: try overlay("fork"))
        try exporting(fork, at: scratch.path + "/fuse2") { file in
            let found = try mounting(file, at: scratch.path + "/mnt") {
                try sh("cd '\(scratch.path)/mnt' && find include -type f | sort | xargs -d '\\n' sha256sum | sha256sum")
            }
            #expect(found == sum)
            try sh("e2fsck -fn '\(file)'")
        }
    }
}
