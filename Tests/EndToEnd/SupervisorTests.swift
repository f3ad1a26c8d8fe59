import Foundation
import Glibc
import Linux
import Testing

@Suite("Disk servers", .serialized, .enabled(if: MachineNeeds.met))
struct SupervisorTests {
    private struct Listing: Decodable {
        struct Machine: Decodable {
            let name: String
            let supervisorPid: Int32?
        }
        let machines: [Machine]
    }

    private func supervisor(_ home: Home, besides old: Int32? = nil) throws -> Int32 {
        for _ in 0..<200 {
            let listing: Listing = try home.terrine("ps", "--json", expect: 0).json()
            if let pid = listing.machines.first?.supervisorPid, pid != old, kill(pid, 0) == 0 { return pid }
            usleep(20_000)
        }
        throw LinuxError("find", "another supervisor", code: ESRCH)
    }

    /// Starts a command in the machine that goes on beside the test.
    private func start(_ home: Home, _ script: String) throws -> pid_t {
        var command = Command(Home.program, ["exec", "m", "--", "sh", "-c", script])
        command.environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" } + ["TERRINE_HOME=\(home.path)"]
        return try command.start()
    }

    /// Two trees that are written, read back and compared while the server dies again and again.
    private static let busy = """
        set -e
        for n in 1 2 3 4 5 6; do
          dd if=/dev/urandom of=/a.$n bs=64k count=100 2>/dev/null; cp /a.$n /b.$n; sync
          mkdir /t.$n; tar -cf - /bin /etc | tar -xf - -C /t.$n; sync
          cmp /a.$n /b.$n; cmp /bin/busybox /t.$n/bin/busybox
        done
        echo whole > /result; sync
        """

    @Test("may be killed under a busy machine, which goes on and loses nothing")
    func killed() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            let worker = try start(home, Self.busy)
            var pid = try supervisor(home)
            for _ in 0..<8 {
                usleep(150_000)
                kill(pid, SIGKILL)
                pid = try supervisor(home, besides: pid)
            }
            #expect(try waitForExit(of: worker) == .exited(0))
            // What a cache hides would show here.
            try home.terrine("checkpoint", "m", "-t", "m:1", expect: 0)
            let compare = "for n in 1 2 3 4 5 6; do cmp /a.$n /b.$n; cmp /bin/busybox /t.$n/bin/busybox; done; cat /result"
            #expect(try home.terrine("run", "m:1", "--", "sh", "-e", "-c", compare, expect: 0).output == "whole\n")
            try home.terrine("rm", "m", expect: 0)
            try home.terrine("verify", expect: 0)
        }
    }

    @Test("can be replaced by those of another program under a running machine")
    func upgraded() throws {
        guard KernelNeeds.resends else { return }
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            // Another program, byte for byte the same, at another place.
            let other = home.path + "/other"
            try FileManager.default.copyItem(atPath: Home.program, toPath: other)
            let worker = try start(home, Self.busy)
            let old = try supervisor(home)
            var upgrade = Command(other, ["upgrade-supervisors"])
            upgrade.environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" } + ["TERRINE_HOME=\(home.path)"]
            #expect(try upgrade.capture().output == "m\n")
            let new = try supervisor(home, besides: old)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(new)/exe") == other)
            // One that dies later is followed by one of the new program too.
            kill(new, SIGKILL)
            let next = try supervisor(home, besides: new)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(next)/exe") == other)
            #expect(try waitForExit(of: worker) == .exited(0))
            try home.terrine("rm", "m", expect: 0)
        }
    }

    @Test("that have little memory write much more than that")
    func littleMemory() throws {
        try Home.withImage { home in
            let group = "/sys/fs/cgroup/\(access("/sys/fs/cgroup/memory/tasks", F_OK) == 0 ? "memory/" : "")terrine-test-\(getpid())"
            let limit = access("/sys/fs/cgroup/memory/tasks", F_OK) == 0 ? "memory.limit_in_bytes" : "memory.max"
            guard mkdir(group, 0o755) == 0, access("\(group)/\(limit)", F_OK) == 0 else {
                rmdir(group)
                print("skipped: this host's control groups do not limit memory")
                return
            }
            defer { waitUntil(lookingEvery: 20_000, atMost: 100) { rmdir(group) == 0 || errno != EBUSY } }
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            try writeSmallFile("\(group)/\(limit)", "\(64 << 20)")
            try writeSmallFile("\(group)/cgroup.procs", "\(try supervisor(home))")
            try home.terrine(
                "exec", "m", "--", "sh", "-e", "-c",
                "dd if=/dev/urandom of=/part bs=1M count=32 2>/dev/null; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat /part >> /big; done; sync; stat -c %s /big",
                expect: 0)
            try home.terrine("rm", "m", expect: 0)
        }
    }
}

/// What only newer kernels do.
enum KernelNeeds {
    /// FUSE sends a dead server's requests again from 6.9 on.
    static var resends: Bool {
        let parts = (readSmallFile("/proc/sys/kernel/osrelease") ?? "").split(separator: ".").prefix(2).map { Int($0.prefix(while: \.isNumber)) ?? 0 }
        if parts.count == 2, parts[0] * 1000 + parts[1] >= 6009 { return true }
        print("skipped: needs Linux 6.9")
        return false
    }
}
