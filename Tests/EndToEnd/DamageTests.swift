import Foundation
import Glibc
import Linux
import Testing

@Suite("Damage, as a person meets it", .serialized, .enabled(if: MachineNeeds.met))
struct DamageTests {
    private struct Found: Decodable {
        struct Problem: Decodable {
            let message: String
            let machines: [String]
        }
        let problems: [Problem]
    }

    @Test("what a hibernated machine and a fork's parent wrote has checksums: verify finds a flipped byte, and a copy of the home mends it")
    func overlays() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            try home.terrine("exec", "m", "--", "sh", "-c", "dd if=/dev/urandom of=/data bs=1M count=3 2>/dev/null; md5sum /data > /sum; sync", expect: 0)
            try home.terrine("fork", "m", "--name", "f", expect: 0)
            try home.terrine("exec", "m", "--", "sh", "-c", "dd if=/dev/urandom of=/more bs=1M count=3 2>/dev/null; md5sum /more >> /sum; sync", expect: 0)
            try home.terrine("hibernate", "m", expect: 0)
            try home.terrine("stop", "f", expect: 0)
            // Those of what was sealed come from another process.
            func overlays() throws -> [String] {
                try FileManager.default.contentsOfDirectory(atPath: home.path + "/overlays").map { "\(home.path)/overlays/\($0)" }
            }
            func summed() throws -> [String] { try overlays().filter { access($0 + "/checksums", F_OK) == 0 } }
            try waitUntil(lookingEvery: 50_000, atMost: 200) { try summed().count >= 2 }
            #expect(try summed().count == 2)
            #expect(try home.terrine("verify", expect: 0).output.contains("all well"))

            let copy = home.path + "-copy"
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try #require(try Command("cp", ["-a", "--sparse=always", home.path, copy]).capture().status == .exited(0))
            for overlay in try summed() { try flip(overlay + "/data") }
            let found: Found = try home.terrine("verify", "--json", expect: 1).json()
            #expect(found.problems.count == 2)
            #expect(found.problems.contains { $0.machines == ["m"] } && found.problems.allSatisfy { $0.message.contains("/overlays/") })
            #expect(try home.terrine("verify", "--repair", expect: 1).output.contains("damaged in 1 of its chunks"))
            try home.terrine("verify", "--repair", "--from", copy, expect: 0)
            try home.terrine("verify", "--from", copy, expect: 2)
            try home.terrine("verify", "--repair", "--from", "/nowhere", expect: 1)
            try home.terrine("resume", "m", expect: 0)
            try home.terrine("exec", "m", "--", "md5sum", "-c", "/sum", expect: 0)
            try home.terrine("rm", "m", "f", expect: 0)
        }
    }

    @Test("an index that was lost or damaged is made anew, and after the next gc every name, machine and hibernated disk is there")
    func lostIndex() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "h", expect: 0)
            try home.terrine("exec", "h", "--", "sh", "-c", "echo one > /x; sync", expect: 0)
            try home.terrine("checkpoint", "h", "-t", "h:1", expect: 0)
            try home.terrine("exec", "h", "--", "sh", "-c", "echo two > /x; sync", expect: 0)
            try home.terrine("fork", "h", "--name", "f", expect: 0)
            try home.terrine("hibernate", "h", expect: 0)
            try home.terrine("start", "small:1", "--name", "r", expect: 0)
            try home.terrine("exec", "r", "--", "sh", "-c", "echo three > /x; sync", expect: 0)
            // What only a machine keeps.
            try home.terrine("checkpoint", "r", expect: 0)
            let names = try home.terrine("images", expect: 0).lines.map { $0.prefix(40) }

            let index = home.path + "/store/index.sqlite"
            for part in ["-wal", "-shm"] { unlink(index + part) }
            try replaceFile(index, with: [UInt8](repeating: 0x55, count: 20_000))
            #expect(try home.terrine("images", expect: 1).errors.contains("verify --rebuild-index"))
            try home.terrine("verify", "--rebuild-index", expect: 0)
            try home.terrine("gc", "--cache", "0h", expect: 0)
            try home.terrine("verify", expect: 0)
            #expect(try home.terrine("images", expect: 0).lines.map { $0.prefix(40) } == names)
            #expect(try home.terrine("run", "h:1", "--", "cat", "/x", expect: 0).output == "one\n")
            #expect(try home.terrine("exec", "f", "--", "cat", "/x", expect: 0).output == "two\n")
            try home.terrine("resume", "h", expect: 0)
            #expect(try home.terrine("exec", "h", "--", "cat", "/x", expect: 0).output == "two\n")
            try home.terrine("rollback", "r", expect: 0)
            #expect(try home.terrine("exec", "r", "--", "cat", "/x", expect: 0).output == "three\n")
            try home.terrine("rm", "--all", expect: 0)
        }
    }

    @Test("a home that cannot be written can be looked at")
    func readOnly() throws {
        struct Told: Decodable {
            struct Parts: Decodable { let code: String }
            let error: Parts
        }
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            try home.terrine("stop", "m", expect: 0)
            try mount(home.path, at: home.path, type: nil, [.bind])
            defer { try? unmount(home.path) }
            try #require(try Command("mount", ["-o", "remount,bind,ro", home.path]).capture().status == .exited(0))
            #expect(try home.terrine("images", expect: 0).output.contains("small:1"))
            #expect(try home.terrine("ps", expect: 0).output.contains("stopped"))
            for arguments in [["inspect", "small:1"], ["inspect", "m"], ["history", "small:1"], ["df"], ["verify"]] { try home.terrine(arguments, expect: 0) }
            for arguments in [["tag", "small:1", "a:1"], ["start", "small:1"], ["gc"], ["resume", "m"], ["rm", "m"], ["checkpoint", "m"]] {
                let run = try home.terrine(arguments + ["--json"])
                #expect(run.code != 0)
                #expect(try run.json(Told.self).error.code == "readOnly", "\(arguments): \(run.output)")
            }
            try unmount(home.path)
            try home.terrine("rm", "m", expect: 0)
        }
    }

    /// Changes one byte in the middle of what a machine wrote.
    private func flip(_ path: String) throws {
        let file = try Descriptor(path, O_RDWR)
        // The machine wrote megabytes in one go: the first long run of data is of those, and not the file system's own.
        var (start, end) = (0, 0)
        while end - start < 1 << 19 {
            start = lseek(file.raw, end, 3)  // SEEK_DATA
            try #require(start >= 0)
            end = lseek(file.raw, start, 4)  // SEEK_HOLE
        }
        let place = Int64(start + end) / 2
        var byte: [UInt8] = [0]
        _ = try byte.withUnsafeMutableBytes { try file.read(into: $0, at: place) }
        byte[0] ^= 1
        try byte.withUnsafeBytes { try file.write($0, at: place) }
    }
}
