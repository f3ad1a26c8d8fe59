import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@Suite("Registries", .serialized, .enabled(if: MachineNeeds.met))
struct RemoteTests {
    private struct Pushed: Decodable {
        let remote: String
        let image: String
        let totalBytes: Int
        let sentBytes: Int
    }
    private struct Pulled: Decodable {
        let image: String
        let fetchedBytes: Int
        let foreign: Bool
    }
    private struct Failure: Decodable {
        struct Parts: Decodable { let code: String }
        let error: Parts
    }

    /// 24 MiB that do not compress, in a step of its own, and a small one on top.
    private static let steps = """
        steps:
          - { name: large, run: "head -c 25165824 /dev/urandom > /large", inputs: [] }
          - { name: small, run: "cp small.txt /small", inputs: [small.txt] }

        """

    private func build(_ home: Home, _ text: String, _ name: String) throws {
        let folder = try home.writeRecipe(Self.steps)
        try home.write("work/small.txt", text)
        try home.terrine("build", folder, "-t", name, expect: 0)
    }

    @Test("an image goes to a registry and comes back elsewhere; a changed file sends under 2 MiB; skopeo reads what is there")
    func roundTrip() throws {
        let registry = try RegistryProcess()
        let proxy = try FaultProxy(upstream: registry.port)
        defer { proxy.stop() }
        let remote = "127.0.0.1:\(proxy.port)/team/it"
        try Home.with { home in
            try build(home, "one\n", "it:1")
            let refused = try home.terrine("push", "it:1", "127.0.0.1:\(registry.port)/team/it:1", "--json", expect: 1)
            #expect(try refused.json(Failure.self).error.code == "unreachable")
            let first: Pushed = try home.terrine("push", "it:1", remote + ":1", "--plain-http", "--json", expect: 0).json()
            #expect(first.sentBytes > 25_000_000 && first.sentBytes == first.totalBytes)
            // Manifests and what is attached come on top.
            #expect(proxy.counts.up < first.sentBytes + 65536)
            proxy.reset()

            try build(home, "two\n", "it:2")
            let second: Pushed = try home.terrine("push", "it:2", remote + ":2", "--plain-http", "--json", expect: 0).json()
            #expect(second.sentBytes < 2 << 20 && second.totalBytes > 25_000_000)
            #expect(proxy.counts.up < 2 << 20)
            print("push of one changed file: \(second.sentBytes) bytes of \(second.totalBytes), \(proxy.counts.up) at the proxy")

            struct Inspected: Decodable {
                let Architecture: String
                let Layers: [String]
                let Labels: [String: String]
            }
            let inspected = try Command("skopeo", ["inspect", "--tls-verify=false", "docker://\(remote):2"]).capture()
            #expect(inspected.status == .exited(0), "\(inspected.errors)")
            let seen = try JSONDecoder().decode(Inspected.self, from: Data(inspected.output.utf8))
            #expect(seen.Labels["dev.terrine.step"] == "workspace" && seen.Layers.count > 6)

            try Home.with { other in
                try other.trust(proxy.port)
                proxy.reset()
                let pulled: Pulled = try other.terrine("pull", remote + ":2", "-t", "there:1", "--json", expect: 0).json()
                #expect(pulled.image == second.image && !pulled.foreign)
                #expect(try other.terrine("run", "there:1", "--", "cat", "/small", expect: 0).output == "two\n")
                #expect(try other.terrine("verify", expect: 0).code == 0)
                // What both have in common is not fetched again.
                proxy.reset()
                let before: Pulled = try other.terrine("pull", remote + ":1", "--json", expect: 0).json()
                #expect(before.fetchedBytes < 2 << 20 && proxy.counts.down < 2 << 20)
                #expect(try other.terrine("images", "--json", expect: 0).output.contains("it:1"))
            }
        }
    }

    @Test("kill -9 of a push and of a pull: the next goes on with what is missing")
    func killed() throws {
        let registry = try RegistryProcess()
        let proxy = try FaultProxy(upstream: registry.port)
        defer { proxy.stop() }
        let remote = "127.0.0.1:\(proxy.port)/team/it:1"
        try Home.with { home in
            try build(home, "one\n", "it:1")
            proxy.slow(2000)
            try kill(home, ["push", "it:1", remote, "--plain-http"]) { proxy.counts.up > 14_000_000 }
            proxy.slow(0)
            let pushed: Pushed = try home.terrine("push", "it:1", remote, "--plain-http", "--json", expect: 0).json()
            let up = proxy.counts.up
            // This registry forgets a blob that was cut; there are at most four of about 1 MiB in flight, and no more is sent again.
            print("push, killed at 14 MB: \(up) bytes in all for \(pushed.totalBytes), \(pushed.sentBytes) after the kill")
            #expect(pushed.sentBytes < pushed.totalBytes - 9_000_000 && up < pushed.totalBytes + 6 << 20)

            try Home.with { other in
                try other.trust(proxy.port)
                proxy.reset()
                proxy.slow(40000)
                try kill(other, ["pull", remote]) { proxy.counts.down > 18_000_000 }
                proxy.slow(0)
                let before = proxy.counts.down
                let pulled: Pulled = try other.terrine("pull", remote, "--json", expect: 0).json()
                let down = proxy.counts.down
                print("pull, killed at \(before): \(pulled.fetchedBytes) bytes after the kill, \(down) in all for \(pushed.totalBytes)")
                // Fetched again are the ends of the packs, and what was under way or in a pack that was not full.
                #expect(pulled.image == pushed.image && down < pushed.totalBytes + 12 << 20)
                #expect(try other.terrine("verify", expect: 0).code == 0)
                #expect(try other.terrine("run", "it:1", "--", "cat", "/small", expect: 0).output == "one\n")
            }
        }
    }

    /// Starts `terrine`, and kills it when `isTime`.
    private func kill(_ home: Home, _ arguments: [String], when isTime: () -> Bool) throws {
        var command = Command(Home.program, arguments)
        command.environment =
            ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }.filter { !$0.hasPrefix("TERRINE_HOME=") }
            + ["TERRINE_HOME=\(home.path)"]
        let quiet = try Descriptor("/dev/null", O_RDWR)
        command.descriptors = [0: quiet.raw, 1: quiet.raw, 2: quiet.raw]
        let process = try command.start()
        waitUntil(lookingEvery: 10_000, atMost: 6000, isTime)
        Glibc.kill(process, SIGKILL)
        #expect(try waitForExit(of: process) == .signalled(SIGKILL), "it ended before it was killed")
    }

    @Test("an image of a stranger starts no machine; a signature, the configuration or --trust lets it")
    func trust() throws {
        let registry = try RegistryProcess()
        let remote = "127.0.0.1:\(registry.port)/team/it:1"
        try Home.withImage { home in
            try home.makeKeys()
            let (key, pub, otherPub) = (home.path + "/a.pem", home.path + "/a.pub", home.path + "/b.pub")
            #expect(try home.terrine("verify", "small:1", "--key", pub, "--json", expect: 1).json(Failure.self).error.code == "unsigned")
            try home.terrine("sign", "small:1", "--key", key, expect: 0)
            try home.terrine("verify", "small:1", "--key", pub, expect: 0)
            let wrong = try home.terrine("verify", "small:1", "--key", otherPub, expect: 1)
            #expect(wrong.errors.contains("is not signed by") && wrong.errors.contains("it is signed by sha256:"))

            let provenance = try home.terrine("provenance", "small:1", "--key", pub, expect: 0).output
            for word in ["https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1", "base tar:base.tar", "resolvedDependencies"] {
                #expect(provenance.contains(word), "\(word) is missing")
            }
            #expect(try home.terrine("provenance", "small:1", "--key", otherPub).code == 1)
            try home.terrine("push", "small:1", remote, "--plain-http", expect: 0)

            try Home.with { other in
                let pulled: Pulled = try other.terrine("pull", remote, "--plain-http", "--json", expect: 0).json()
                #expect(pulled.foreign)
                for arguments in [["run", "it:1", "--", "true"], ["start", "it:1", "--name", "m"], ["fork", "it:1", "--name", "m"]] {
                    let refused = try other.terrine(arguments)
                    #expect(refused.code != 0 && refused.errors.contains("foreign") && refused.errors.contains("--trust"), "\(refused.errors)")
                }
                try other.terrine("run", "--trust", "--require-signature", pub, "it:1", "--", "true", expect: 0)
                let unsigned = try other.terrine("run", "--trust", "--require-signature", otherPub, "it:1", "--", "true", expect: 125)
                #expect(unsigned.errors.contains("is not signed by"))
                let fork = try other.terrine("fork", "it:1", "--name", "m", "--trust", "--require-signature", otherPub, expect: 1)
                #expect(fork.errors.contains("is not signed by"))
                // What is made of a stranger's blocks is a stranger's too.
                try other.terrine("fork", "it:1", "--name", "m", "--trust", "--require-signature", pub, expect: 0)
                try other.terrine("exec", "m", "--", "touch", "/made", expect: 0)
                try other.terrine("checkpoint", "m", "-t", "made:1", expect: 0)
                #expect(try other.terrine("run", "made:1", "--", "true").errors.contains("foreign"))
                try other.terrine("rm", "m", expect: 0)

                // The key vouches for it as well as the name would.
                try other.write("config.yaml", "remotes:\n  127.0.0.1:\(registry.port)/team: { plainHTTP: true, keys: [\(otherPub)] }\n")
                #expect(try other.terrine("pull", remote, "--json", expect: 0).json(Pulled.self).foreign)
                try other.write(
                    "config.yaml", "remotes:\n  127.0.0.1:\(registry.port)/team: { plainHTTP: true, keys: [\(otherPub), \(pub)] }\nrequireSignature: [\(pub)]\n"
                )
                #expect(try !other.terrine("pull", remote, "--json", expect: 0).json(Pulled.self).foreign)
                try other.terrine("run", "it:1", "--", "true", expect: 0)
                // The configuration asks for a signature, which a checkpoint of ours has not.
                #expect(try other.terrine("run", "--trust", "made:1", "--", "true", expect: 125).errors.contains("is not signed by"))
                #expect(try other.terrine("fork", "made:1", "--trust", expect: 1).errors.contains("is not signed by"))
                let none = try other.terrine("pull", remote, "-t", "x:1", "--require-signature", otherPub, expect: 1)
                #expect(none.errors.contains("is not signed by"))
                // What was attached goes with its image.
                try other.write("config.yaml", "")
                try other.terrine("rmi", "it:1", expect: 0)
                try other.terrine("rmi", "made:1", expect: 0)
                try other.terrine("gc", "--cache", "0h", expect: 0)
                #expect(try String(contentsOfFile: other.path + "/store/index.json", encoding: .utf8).contains("subject") == false)
            }
        }
    }
}

extension Home {
    /// Trusts a registry at a port of this host.
    func trust(_ port: UInt16) throws { try write("config.yaml", "remotes:\n  127.0.0.1:\(port): { trusted: true, plainHTTP: true }\n") }

    /// `a.pem` and `b.pem` with their public halves, `a.pub` and `b.pub`.
    func makeKeys() throws {
        let script = """
            cd "$1"
            for key in a b; do openssl genpkey -algorithm ed25519 -out $key.pem; openssl pkey -in $key.pem -pubout -out $key.pub; done
            """
        let made = try Command("sh", ["-ec", script, "sh", path]).capture()
        try #require(made.status == .exited(0), "\(made.errors)")
    }
}
