import Foundation
import Glibc
import Linux
import Testing

/// Each process that has a part in a checkpoint, stopped at each place where it changes something: before and after the freeze, as the overlay is sealed,
/// as the image is packed and named.
@Suite("Checkpoints broken off", .serialized, .enabled(if: MachineNeeds.met))
struct CheckpointCrashTests {
    /// Every place in `make soak`; else every so many, another beginning each time.
    private static let isThorough = ProcessInfo.processInfo.environment["TERRINE_SOAK"] != nil

    struct Victim: CustomTestStringConvertible, Sendable {
        let role: String
        var isAsync = false
        let stride: Int
        var testDescription: String { role }
    }

    @Test(
        "whoever is killed, at whichever of its steps: what was synced is there, and the next checkpoint holds it",
        arguments: [
            Victim(role: "command", stride: 12), Victim(role: "keeper", stride: 6), Victim(role: "supervisor", stride: 6),
            Victim(role: "packer", isAsync: true, stride: 16),
        ])
    func everyPlace(_ victim: Victim) throws {
        try Home.withImage { home in
            let plan = home.path + "/crash"
            let environment = ["TERRINE_CRASH_PLAN=\(plan)"]
            try #require(home.terrine(["start", "small:1", "--name", "m"], environment: environment).code == 0)
            let stride = Self.isThorough ? 1 : victim.stride
            var place = Self.isThorough ? 1 : Int.random(in: 1...stride)
            var round = 0
            var killed = 0
            while true {
                round += 1
                try home.terrine(
                    "exec", "m", "--", "sh", "-c",
                    "dd if=/dev/urandom of=/data.\(round) bs=256k count=1 2>/dev/null; sha256sum /data.\(round) >> /sums; sync", expect: 0)
                try "\(victim.role) \(place)".write(toFile: plan, atomically: false, encoding: .utf8)
                let run = try home.terrine(
                    ["checkpoint", "m", "-t", "m:\(round)"] + (victim.isAsync ? ["--async"] : []), environment: environment)
                if victim.isAsync { try home.waitForPacker() }
                let wasKilled = access(plan, F_OK) != 0
                unlink(plan)
                if victim.role == "keeper", wasKilled {
                    try home.terrine("exec", "m", "--", "true", expect: 125)
                    try #require(home.terrine(["resume", "m"], environment: environment).code == 0, "killed at \(place)")
                }
                let seen = try home.terrine("exec", "m", "--", "sh", "-c", "sha256sum -c /sums && sync && wc -l < /sums")
                try #require(seen.code == 0 && seen.lines.last == "\(round)", "\(victim.role) killed at \(place): \(seen.output)\(seen.errors)")
                if run.code == 0, !victim.isAsync || !wasKilled { try home.expectImage("m:\(round)", holds: round) }
                try home.terrine("checkpoint", "m", "-t", "m:last", expect: 0)
                if round % 8 == 0 || !wasKilled { try home.expectImage("m:last", holds: round) }
                if !wasKilled { break }
                killed += 1
                place += stride
            }
            print("crash points: the \(victim.role) of a checkpoint was stopped at \(killed) of its \(place - 1) or so")
            #expect(killed > 0)
            try home.terrine("verify", expect: 0)
            try home.terrine("rm", "m", expect: 0)
            try home.terrine("gc", "--grace", "0s", expect: 0)
            try home.terrine("verify", expect: 0)
        }
    }
}

extension Home {
    fileprivate func expectImage(_ image: String, holds files: Int) throws {
        let seen = try terrine("run", image, "--", "sh", "-c", "sha256sum -c /sums >/dev/null && wc -l < /sums", expect: 0)
        #expect(seen.output == "\(files)\n", "\(image)")
    }

    /// The process that makes the image of `checkpoint --async` has the home in its arguments.
    fileprivate func waitForPacker() throws {
        for _ in 0..<1000 {
            let processes = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int32($0) != nil }
            // Processes come and go while they are listed.
            let titles = processes.compactMap { readSmallFile("/proc/\($0)/cmdline") }
            if !titles.contains(where: { $0.contains("__pack") && $0.contains(path) }) { return }
            usleep(10_000)
        }
        Issue.record("the image is still being packed after ten seconds")
    }
}
