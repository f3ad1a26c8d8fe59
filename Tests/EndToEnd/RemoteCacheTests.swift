import Foundation
import Linux
import Synchronization
import TestSupport
import Testing

@Suite("Steps in registries", .serialized, .enabled(if: MachineNeeds.met))
struct RemoteCacheTests {
    private struct Built: Decodable {
        struct Step: Decodable {
            let name: String
            let cached: Bool
        }
        let digest: String
        let steps: [Step]
        let fetchedBytes: Int
        var ran: [String] { steps.filter { !$0.cached }.map(\.name) }
    }
    private struct Failure: Decodable {
        struct Parts: Decodable { let code: String }
        let error: Parts
    }
    private struct Report: Decodable {
        struct Step: Decodable { let outcome: String }
        let passed: Bool
        let digest: String
        let pushed: [String]
        let fetchedBytes: Int
        let steps: [Step]
    }

    /// 24 MiB that do not compress, and a small file on top.
    private static let steps = """
        steps:
          - { name: large, run: "head -c 25165824 /dev/urandom > /large", inputs: [] }
          - { name: small, run: "cp small.txt /small", inputs: [small.txt] }

        """

    /// The recipe's folder in another home, with the very same base: its archive is an input.
    private func copy(_ home: Home, to other: Home) throws -> String {
        try FileManager.default.copyItem(atPath: home.path + "/work", toPath: other.path + "/work")
        return other.path + "/work"
    }

    @Test("a new, empty store builds from steps that were pushed elsewhere; a changed step fetches only what it stands on; a dead cache is a warning")
    func cache() throws {
        let registry = try RegistryProcess()
        let proxy = try FaultProxy(upstream: registry.port)
        defer { proxy.stop() }
        let cache = "127.0.0.1:\(proxy.port)/team/cache"
        try Home.with { home in
            let folder = try home.writeRecipe(Self.steps)
            try home.write("work/small.txt", "one\n")
            let built: Built = try home.terrine("build", folder, "-t", "it:1", "--cache-to", cache, "--plain-http", "--json", expect: 0).json()
            #expect(built.ran.count == built.steps.count)
            let sent = proxy.counts.up
            #expect(sent > 25_165_824 && sent < 32_000_000)

            try Home.with { other in
                let copy = try copy(home, to: other)
                let untrusted = try other.terrine("build", copy, "-t", "it:1", "--cache-from", cache, "--plain-http", "--json", expect: 1)
                #expect(try untrusted.json(Failure.self).error.code == "untrusted")
                try other.trust(proxy.port)
                proxy.reset()
                let start = ContinuousClock.now
                let cached: Built = try other.terrine("build", copy, "-t", "it:1", "--cache-from", cache, "--json", expect: 0).json()
                let took = ContinuousClock.now - start
                print("a new store: \(cached.steps.count) steps cached, \(proxy.counts.down) bytes at the proxy of \(sent) that are there, in \(took)")
                #expect(cached.ran.isEmpty && cached.digest == built.digest)
                // Of the steps' images the last alone, and nothing twice.
                #expect(proxy.counts.down > 25_165_824 && proxy.counts.down < sent + 1 << 20)
                #expect(cached.fetchedBytes <= proxy.counts.down && cached.fetchedBytes > 25_165_824)
                #expect(try other.terrine("run", "it:1", "--", "cat", "/small", expect: 0).output == "one\n")
                // All of it is cached here now.
                let again: Built = try other.terrine("build", copy, "-t", "it:1", "--json", expect: 0).json()
                #expect(again.ran.isEmpty)

                // A step that is not cached stands on one that is.
                try other.write("work/small.txt", "two\n")
                let changed: Built = try other.terrine("build", copy, "-t", "it:2", "--cache-from", cache, "--json", expect: 0).json()
                #expect(changed.ran == ["small", "workspace"])

                // Of a step that somebody else has changed, its own chunks are all that is missing here.
                try home.write("work/small.txt", "other\n")
                let theirs: Built = try home.terrine("build", folder, "-t", "it:2", "--cache-to", cache, "--plain-http", "--json", expect: 0).json()
                try other.write("work/small.txt", "other\n")
                proxy.reset()
                let ours: Built = try other.terrine("build", copy, "-t", "it:3", "--cache-from", cache, "--json", expect: 0).json()
                #expect(ours.ran.isEmpty && ours.digest == theirs.digest)
                print("a changed step: \(proxy.counts.down) bytes at the proxy")
                #expect(proxy.counts.down < 2 << 20)
            }
            try home.write("work/small.txt", "three\n")
            let dead = ["--cache-from", "127.0.0.1:1/x/y", "--trust-cache", "--plain-http"]
            let warned = try home.terrine(["build", folder, "-t", "it:1"] + dead)
            #expect(warned.code == 0 && warned.errors.contains("warning: the cache 127.0.0.1:1/x/y is left out"), "\(warned.errors)")
        }
    }

    @Test("chunks of a cached step that are damaged or gone: the build warns and makes the step itself")
    func lost() throws {
        let registry = try RegistryProcess()
        let isLost = FlagForProxy()
        let proxy = try FaultProxy(upstream: registry.port) { request in
            isLost.isSet && request.method == "GET" && request.headers["range"] != nil ? .answer(404) : .pass
        }
        defer { proxy.stop() }
        let cache = "127.0.0.1:\(proxy.port)/team/cache"
        try Home.with { home in
            let folder = try home.writeRecipe(Self.steps)
            try home.write("work/small.txt", "one\n")
            try home.trust(proxy.port)
            try home.terrine("build", folder, "-t", "it:1", "--cache-to", cache, expect: 0)
            isLost.set()
            try Home.with { other in
                let copy = try copy(home, to: other)
                try other.trust(proxy.port)
                let run = try other.terrine("build", copy, "-t", "it:1", "--cache-from", cache, "--json", expect: 0)
                #expect(run.errors.contains("warning: the cache \(cache) is left out"), "\(run.errors)")
                #expect(try run.json(Built.self).ran.isEmpty == false)
                #expect(try other.terrine("run", "it:1", "--", "cat", "/small", expect: 0).output == "one\n")
                #expect(try other.terrine("verify", expect: 0).code == 0)
            }
        }
    }

    @Test("package layers come from elsewhere without a lock, and with the one that their build wrote")
    func packages() throws {
        let registry = try RegistryProcess()
        let cache = "127.0.0.1:\(registry.port)/team/cache"
        try PackageTests.withBoxes { home, folder in
            try home.trust(registry.port)
            let built: Built = try home.terrine("build", folder, "-t", "it:1", "--cache-to", cache, "--json", expect: 0).json()
            let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
            let log = try String(contentsOfFile: folder + "/shelf/log", encoding: .utf8)
            for hasLock in [false, true] {
                if !hasLock { try FileManager.default.removeItem(atPath: folder + "/terrine.lock") }
                try Home.with { other in
                    try other.trust(registry.port)
                    let cached: Built = try other.terrine("build", folder, "-t", "it:1", "--cache-from", cache, "--json", expect: 0).json()
                    #expect(cached.ran.isEmpty && cached.digest == built.digest, "\(cached.ran)")
                    #expect(try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8) == lock)
                    // Here it is known by both.
                    let again: Built = try other.terrine("build", folder, "-t", "it:1", "--json", expect: 0).json()
                    #expect(again.ran.isEmpty && again.digest == built.digest)
                }
            }
            #expect(try String(contentsOfFile: folder + "/shelf/log", encoding: .utf8) == log)
        }
    }

    @Test("steps are taken from a remote whose key has signed them, and not when another has")
    func signed() throws {
        let registry = try RegistryProcess()
        let cache = "127.0.0.1:\(registry.port)/team/cache"
        try Home.with { home in
            try home.makeKeys()
            let folder = try home.writeRecipe("steps:\n  - { name: made, run: \"echo made > /made\", inputs: [] }\n")
            let arguments = ["build", folder, "-t", "it:1", "--cache-to", cache, "--plain-http", "--json"]
            let missing = try home.terrine(arguments + ["--sign", home.path + "/none.pem"], expect: 1)
            #expect(try missing.json(Failure.self).error.code == "notFound")
            // Unsigned first: the signatures come to what is there.
            try home.terrine(arguments, expect: 0)
            let built: Built = try home.terrine(arguments + ["--sign", home.path + "/a.pem"], expect: 0).json()
            try home.terrine("verify", "it:1", "--key", home.path + "/a.pub", expect: 0)
            for (key, isCached) in [("a", true), ("b", false)] {
                try Home.with { other in
                    let copy = try copy(home, to: other)
                    try other.write("config.yaml", "remotes:\n  127.0.0.1:\(registry.port): { plainHTTP: true, keys: [\(home.path)/\(key).pub] }\n")
                    let run = try other.terrine("build", copy, "-t", "it:1", "--cache-from", cache, "--json", expect: 0)
                    let result = try run.json(Built.self)
                    #expect(result.ran.isEmpty == isCached)
                    #expect(run.errors.contains("is not signed by") != isCached, "\(run.errors)")
                    if isCached { #expect(result.digest == built.digest) }
                }
            }
        }
    }

    @Test("a CI job on a new machine takes its steps from the registry, and sends its image there under the branch's and the commit's names")
    func job() throws {
        let registry = try RegistryProcess()
        let (cache, remote) = ("127.0.0.1:\(registry.port)/team/cache", "127.0.0.1:\(registry.port)/team/it")
        try Home.with { home in
            try home.makeKeys()
            try home.writeRecipe("steps:\n  - { name: made, run: \"echo made > /made\", inputs: [] }\nchecks:\n  - { run: grep -q made /made }\n")
            func ci(_ home: Home) throws -> Report {
                try home.trust(registry.port)
                let shared = ["--cache-from", cache, "--cache-to", cache, "--push", remote, "--sign", home.path + "/a.pem"]
                let arguments = ["ci", home.path + "/work", "--branch", "main", "--summary", home.path + "/summary.md", "--json"]
                return try home.terrine(arguments + shared, expect: 0).json()
            }
            let first = try ci(home)
            #expect(first.passed && first.pushed == [remote + ":branch-main"] && first.fetchedBytes < 65536)
            try Home.with { other in
                _ = try copy(home, to: other)
                for key in ["a.pem", "a.pub"] { try FileManager.default.copyItem(atPath: "\(home.path)/\(key)", toPath: "\(other.path)/\(key)") }
                let second = try ci(other)
                #expect(second.steps.allSatisfy { $0.outcome == "cached" } && second.digest == first.digest && second.fetchedBytes > 65536)
                #expect(try String(contentsOfFile: other.path + "/summary.md", encoding: .utf8).contains(remote + ":branch-main"))
                try other.terrine("pull", remote + ":branch-main", "-t", "shipped:1", "--require-signature", other.path + "/a.pub", expect: 0)
                #expect(try other.terrine("run", "shipped:1", "--", "cat", "/made", expect: 0).output == "made\n")
            }
            #expect(try home.terrine("ci", home.path + "/work", "--branch", "main", "--push", remote + ":1").errors.contains("has a tag"))
        }
    }
}

/// What a proxy's rule looks at, and a test sets.
private final class FlagForProxy: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}
