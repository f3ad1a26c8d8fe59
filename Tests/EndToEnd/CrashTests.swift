import Foundation
import Glibc
import Linux
import Testing

@Suite("Crashes", .serialized, .enabled(if: MachineNeeds.met))
struct CrashTests {
    /// Kills of each of the three tests that kill at random moments; `make soak` asks for more.
    private static let kills = ProcessInfo.processInfo.environment["TERRINE_SOAK"] == nil ? 10 : 100

    @Test("a checkpoint killed at any moment loses nothing, and the next one holds it all")
    func killedCheckpoint() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            for round in 0..<Self.kills {
                try home.terrine(
                    "exec", "m", "--", "sh", "-c", "dd if=/dev/urandom of=/data.\(round) bs=1M count=2 2>/dev/null; echo \(round) > /round", expect: 0)
                try home.kill(after: UInt32(round) * 40_000 / UInt32(Self.kills), "checkpoint", "m", "-t", "m:\(round)")
                try home.terrine("exec", "m", "--", "sh", "-c", "sync; test $(cat /round) = \(round)", expect: 0)
                try home.terrine("checkpoint", "m", "-t", "m:\(round)", expect: 0)
            }
            try home.terrine("verify", expect: 0)
            #expect(
                try home.terrine("run", "m:\(Self.kills - 1)", "--", "sh", "-c", "cat /round; ls /data.* | wc -l", expect: 0).output
                    == "\(Self.kills - 1)\n\(Self.kills)\n")
            try home.terrine("rm", "m", expect: 0)
            try home.terrine("gc", "--grace", "0s", expect: 0)
            try home.terrine("verify", expect: 0)
        }
    }

    @Test("a build killed at any moment leaves a clean store, and the same command then finishes")
    func killedBuild() throws {
        try Home.with { home in
            let steps = (0..<4).map { "  - { name: s\($0), run: \"dd if=/dev/urandom of=/file.\($0) bs=1M count=4 2>/dev/null\", inputs: [] }\n" }.joined()
            let folder = try home.writeRecipe("steps:\n" + steps)
            for round in 0..<Self.kills { try home.kill(after: UInt32(round) * 600_000 / UInt32(Self.kills), "build", folder, "-t", "small:1") }
            try home.terrine("build", folder, "-t", "small:1", expect: 0)
            #expect(try home.terrine("run", "small:1", "--", "sh", "-c", "ls /file.* | wc -l", expect: 0).output == "4\n")
            try home.terrine("verify", expect: 0)
        }
    }

    @Test("fork, hibernate, resume, gc and the supervisor killed at any moment: what was synced is there, and nothing stays behind")
    func killedOperations() throws {
        struct Listing: Decodable {
            struct Machine: Decodable { let supervisorPid: Int32? }
            let machines: [Machine]
        }
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            for round in 0..<Self.kills {
                try home.terrine("exec", "m", "--", "sh", "-c", "echo \(round) >> /rounds; sync", expect: 0)
                let moment = UInt32.random(in: 0...300_000)
                switch round % 5 {
                case 0: try home.kill(after: moment, "fork", "m", "--name", "f")
                case 1: try home.kill(after: moment, "hibernate", "m")
                case 2:
                    try home.terrine("stop", "m", expect: 0)
                    try home.kill(after: moment, "resume", "m")
                case 3: try home.kill(after: moment, "gc", "--cache", "0h", "--repack")
                default:
                    let listing: Listing = try home.terrine("ps", "--json", expect: 0).json()
                    if let pid = listing.machines.first?.supervisorPid { Glibc.kill(pid, SIGKILL) }
                }
                try home.terrine("resume", "m", expect: 0)
                let seen = try home.terrine("exec", "m", "--", "cat", "/rounds", expect: 0)
                #expect(seen.lines == (0...round).map { String($0) }, "round \(round), killed after \(moment) µs")
                try home.terrine("rm", "--force", "f", expect: 0)
                if round % 10 == 9 { try home.terrine("verify", expect: 0) }
            }
            try home.terrine("rm", "m", expect: 0)
            try home.terrine("gc", "--cache", "0h", expect: 0)
            try home.terrine("verify", expect: 0)
        }
    }

    @Test("gc takes away what a killed start and a killed removal left of a machine")
    func halfMachines() throws {
        try Home.withImage { home in
            try home.write("machines/half/lock", "")
            try home.write("machines/.gone-0123456789abcdef/machine.json", "{}")
            try home.terrine("ps", expect: 0)
            try home.terrine("gc", expect: 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: home.path + "/machines").filter { $0 != ".lock" } == [])
        }
    }

    @Test("a machine whose keeper was killed is lost, and starts again from its disk")
    func killedKeeper() throws {
        struct Listing: Decodable {
            struct Machine: Decodable {
                let state: String
                let pid: Int32?
            }
            let machines: [Machine]
        }
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            try home.terrine("exec", "m", "--", "sh", "-c", "echo kept > /kept; sync", expect: 0)
            var listing: Listing = try home.terrine("ps", "--json", expect: 0).json()
            Glibc.kill(try #require(listing.machines.first?.pid), SIGKILL)
            for _ in 0..<100 where listing.machines.first?.state == "running" {
                usleep(20_000)
                listing = try home.terrine("ps", "--json", expect: 0).json()
            }
            #expect(listing.machines.map(\.state) == ["lost"])
            try home.terrine("exec", "m", "--", "true", expect: 125)
            try home.terrine("resume", "m", expect: 0)
            #expect(try home.terrine("exec", "m", "--", "cat", "/kept", expect: 0).output == "kept\n")
            try home.terrine("rm", "m", expect: 0)
        }
    }
}

extension Home {
    /// Starts the program and kills it, and it alone, after `microseconds`.
    fileprivate func kill(after microseconds: UInt32, _ arguments: String...) throws {
        var command = Command(Self.program, arguments)
        command.environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }.filter { !$0.hasPrefix("TERRINE_HOME=") } + ["TERRINE_HOME=\(path)"]
        let null = try Descriptor("/dev/null", O_RDWR)
        for number: Int32 in 0...2 { command.descriptors[number] = null.raw }
        let pid = try command.start()
        usleep(microseconds)
        Glibc.kill(pid, SIGKILL)
        _ = try waitForExit(of: pid)
    }
}
