import Foundation
import Linux
import Testing

@Suite("What goes by itself", .serialized, .enabled(if: MachineNeeds.met))
struct ReaperTests {
    private struct Collected: Decodable {
        struct Store: Decodable {
            let images: Int
            let names: Int
        }
        struct Machines: Decodable { let machines: [String] }
        let store: Store
        let machines: Machines
    }

    @Test("a machine, a fork and a kept run go with the first gc after their time, even while they run")
    func timeToLive() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "short", "--ttl", "1s", expect: 0)
            try home.terrine("start", "small:1", "--name", "long", "--ttl", "1h", expect: 0)
            try home.terrine("fork", "long", "--name", "branch", "--ttl", "1s", expect: 0)
            try home.terrine("run", "small:1", "--name", "once", "--ttl", "1s", "--", "true", expect: 0)
            try home.terrine("start", "small:1", "--name", "ever", "--ttl", "soon", expect: 2)
            #expect(try home.terrine("inspect", "long", expect: 0).output.contains("\"expires\""))
            sleep(2)
            let gone: Collected = try home.terrine("gc", "--json", expect: 0).json()
            #expect(Set(gone.machines.machines) == ["short", "branch", "once"])
            try home.terrine("exec", "long", "--", "true", expect: 0)
            try home.terrine("rm", "long", expect: 0)
        }
    }

    @Test("gc keeps as many checkpoints as it is told, and builds without a name as many as it is told")
    func checkpointsAndBuilds() throws {
        try Home.withImage { home in
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            for round in 1...4 {
                try home.terrine("exec", "m", "--", "sh", "-c", "echo \(round) > /round", expect: 0)
                try home.terrine("checkpoint", "m", "-t", "m:\(round)", expect: 0)
            }
            try home.terrine("gc", "--keep-checkpoints", "0", expect: 2)
            let gone: Collected = try home.terrine("gc", "--keep-checkpoints", "2", "--json", expect: 0).json()
            #expect(gone.store.names == 2)
            for round in 1...4 { try home.terrine("run", "m:\(round)", "--", "grep", "-qx", "\(round)", "/round", expect: round > 2 ? 0 : 125) }
            try home.terrine("gc", "--ttl", "0s", expect: 0)
            try home.terrine("run", "m:3", "--", "true", expect: 125)
            try home.terrine("run", "m:4", "--", "true", expect: 0)
            try home.terrine("rm", "m", expect: 0)

            struct Built: Decodable { let digest: String }
            let digests = try (0..<3).map { round in
                let folder = try home.writeRecipe("env: { ROUND: \"\(round)\" }\n")
                return try (home.terrine("build", folder, "-t", "small:1", "--json", expect: 0).json() as Built).digest
            }
            try home.terrine("gc", "--cache", "0h", "--keep", "2", expect: 0)
            #expect(try digests.map { try home.terrine("inspect", $0).code } == [1, 0, 0])
            try home.terrine("gc", "--cache", "0h", "--keep", "0", expect: 0)
            #expect(try digests.map { try home.terrine("inspect", $0).code } == [1, 1, 0])
            try home.terrine("verify", expect: 0)
        }
    }

    @Test("a store with a quota evicts cached steps before it refuses a build or a checkpoint, and says what takes the room")
    func quota() throws {
        struct Use: Decodable {
            struct Store: Decodable {
                let packBytes: Int64
                let otherBytes: Int64
                let cacheEntries: Int
            }
            let store: Store
        }
        try Home.with { home in
            let folder = try home.writeRecipe()
            func recipe(_ round: Int) throws {
                try home.writeRecipe("steps:\n  - { name: big, run: \"dd if=/dev/urandom of=/big bs=1M count=4 2>/dev/null; echo \(round)\", inputs: [] }\n")
            }
            for round in 0..<3 {
                try recipe(round)
                try home.terrine("build", folder, "-t", "small:1", expect: 0)
            }
            let before: Use = try home.terrine("df", "--json", expect: 0).json()
            let bytes = before.store.packBytes + before.store.otherBytes
            #expect(bytes > 12 << 20)
            try recipe(3)
            let limit = "TERRINE_MAX_STORE=\((bytes >> 20) - 3)MiB"
            try home.terrine(["build", folder, "-t", "small:1"], environment: [limit], expect: 0)
            let after: Use = try home.terrine("df", "--json", expect: 0).json()
            #expect(after.store.packBytes < before.store.packBytes)

            let refused = try home.terrine(["build", folder, "--no-cache"], environment: ["TERRINE_MAX_STORE=1MiB"], expect: 1)
            #expect(refused.errors.contains("small:1") && refused.errors.contains("fix: "))
            try home.terrine("start", "small:1", "--name", "m", expect: 0)
            try home.terrine("exec", "m", "--", "sh", "-c", "echo x > /x", expect: 0)
            try home.terrine(["checkpoint", "m"], environment: ["TERRINE_MAX_STORE=1MiB"], expect: 1)
            try home.terrine("checkpoint", "m", expect: 0)
            try home.terrine("gc", "--max-store", "1MiB", expect: 1)
            try home.terrine(["images"], environment: ["TERRINE_MAX_STORE=much"], expect: 2)
            try home.terrine("rm", "m", expect: 0)
            try home.terrine("verify", expect: 0)
        }
    }
}
