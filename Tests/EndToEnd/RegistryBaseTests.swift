import Foundation
import Linux
import Synchronization
import TestSupport
import Testing

/// Recipes that begin with an image of a registry, or with an archive of one.
@Suite("Bases of registries", .serialized, .enabled(if: MachineNeeds.have("skopeo", "docker-registry", "curl")))
struct RegistryBaseTests {
    private static let quiet = ["--plain-http", "-q"]

    /// A layout `NAME` beside the home with a container's image in it, whose `/mark` holds the name.
    private func makeLayout(_ home: Home, _ name: String) throws {
        let folder = try home.writeRecipe("steps: [{ name: mark, run: echo \(name) > /mark, inputs: [] }]\nenv: { FROM_BASE: \(name) }\n", in: "made")
        try home.terrine("build", folder, "-t", "\(name):1", "-q", expect: 0)
        try home.terrine("export", "\(name):1", "-o", "\(home.path)/\(name)", "--format", "oci", "-q", expect: 0)
    }

    /// Copies a layout to a registry, as others do.
    private func copy(_ home: Home, _ layout: String, to place: String) throws {
        let result = try Command("sh", ["-ec", "cd \"$1\"; skopeo copy --dest-tls-verify=false oci:$2:$2:1 docker://$3", "sh", home.path, layout, place])
            .capture()
        try #require(result.status == .exited(0), "\(result.errors)")
    }

    private func recipe(_ home: Home, _ base: String) throws -> String {
        try home.write("work/terrine.yaml", "version: 1\nname: it\nbase: \(base)\nsteps: [{ name: s, run: cat /mark > /seen, inputs: [] }]\n")
        return home.path + "/work"
    }

    private func seen(_ home: Home) throws -> String { try home.terrine("run", "it", "--", "sh", "-c", "cat /seen; echo $FROM_BASE", expect: 0).output }

    @Test("an image of a registry is fetched, pinned by its digest in the lock until an update, and asked for no more")
    func registry() throws {
        let registry = try RegistryProcess()
        // The first answer with a layer is cut.
        let isFirst = Atomic(true)
        let proxy = try FaultProxy(upstream: registry.port) { request in
            guard request.method == "GET", request.path.contains("/blobs/"), isFirst.exchange(false, ordering: .relaxed) else { return .pass }
            return .cutAnswer(after: 100)
        }
        defer { proxy.stop() }
        let place = "127.0.0.1:\(proxy.port)/team/os:1"
        try Home.with { home in
            try makeLayout(home, "one")
            try makeLayout(home, "two")
            try copy(home, "one", to: place)
            let folder = try recipe(home, "oci:" + place)
            #expect(try home.terrine("plan", folder, expect: 0).output.contains("never fetched"))
            #expect(try home.terrine(["build", folder, "--locked"] + Self.quiet, expect: 2).errors.contains("does not hold what `oci:\(place)` asks for"))
            #expect(try home.terrine(["build", folder, "--offline"], expect: 1).errors.contains("this build is offline"))
            try home.terrine(["build", folder] + Self.quiet, expect: 0)
            #expect(try seen(home) == "one\none\n")
            #expect(try home.terrine("plan", folder, expect: 0).output.contains("cached, fetched on 20"))
            let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
            #expect(lock.contains("- 127.0.0.1:\(proxy.port)/team/os 1 sha256:"))

            // Another image under the same tag: what the lock says counts, here and in another store.
            try copy(home, "two", to: place)
            proxy.reset()
            let again = try home.terrine("build", folder, "--json", expect: 0).json(BuildTests.Built.self)
            #expect(again.ran.isEmpty && proxy.counts.requests.isEmpty)
            try Home.with { other in
                let copied = try recipe(other, "oci:" + place)
                try other.write("work/terrine.lock", lock)
                try other.terrine(["build", copied] + Self.quiet, expect: 0)
                #expect(try seen(other) == "one\none\n")
                try other.write("work/terrine.lock", lock.replacing(/sha256:[0-9a-f]{8}/, with: "sha256:00000000"))
                let gone = try other.terrine(["build", copied] + Self.quiet, expect: 1)
                #expect(gone.errors.contains("has no image with the digest") && gone.errors.contains("terrine build --update base"))
            }
            try home.terrine(["build", folder, "--update", "base"] + Self.quiet, expect: 0)
            #expect(try seen(home) == "two\ntwo\n")
            #expect(try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8) != lock)
            #expect(
                try home.terrine(["build", recipe(home, "oci:127.0.0.1:\(proxy.port)/team/none:1")] + Self.quiet, expect: 1).errors.contains(
                    "there is no image"))
        }
    }

    @Test("of a list, the image for this host's architecture is taken; an image of terrine's own is pulled, and is foreign")
    func kinds() throws {
        let registry = try RegistryProcess()
        let host = "127.0.0.1:\(registry.port)"
        try Home.with { home in
            for name in ["one", "two"] {
                try makeLayout(home, name)
                try copy(home, name, to: "\(host)/team/list:\(name)")
            }
            let script = """
                raw() { skopeo inspect --raw --tls-verify=false docker://$1/team/list:$2; }
                entry() { printf '{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"os":"%s","architecture":"%s"}}' \\
                  "$(raw "$1" "$2" | sha256sum | cut -d ' ' -f 1)" "$(raw "$1" "$2" | wc -c)" "$3" "$4"; }
                case $(uname -m) in aarch64) own=arm64 ;; *) own=amd64 ;; esac
                printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,%s,%s]}' \\
                  "$(entry "$1" one linux s390x)" "$(entry "$1" one windows $own)" "$(entry "$1" two linux $own)" > "$2/list.json"
                curl --fail -sS -T "$2/list.json" -H 'Content-Type: application/vnd.oci.image.index.v1+json' "http://$1/v2/team/list/manifests/all"
                """
            let made = try Command("sh", ["-ec", script, "sh", host, home.path]).capture()
            try #require(made.status == .exited(0), "\(made.errors)")
            try home.terrine(["build", recipe(home, "oci:\(host)/team/list:all")] + Self.quiet, expect: 0)
            #expect(try seen(home) == "two\ntwo\n")

            try home.terrine("push", "one:1", "\(host)/team/ours:1", "--plain-http", "-q", expect: 0)
            try Home.with { other in
                let folder = try recipe(other, "oci:\(host)/team/ours:1")
                let refused = try other.terrine(["build", folder] + Self.quiet, expect: 1)
                #expect(refused.errors.contains("is foreign") && refused.errors.contains("--trust"))
                try other.terrine(["build", folder, "--trust"] + Self.quiet, expect: 0)
                #expect(try other.terrine("run", "it", "--trust", "--", "cat", "/seen", expect: 0).output == "one\n")
            }
        }
    }

    @Test("a layout's folder and an archive of an image are bases too; a name without a host is no registry's")
    func files() throws {
        try Home.with { home in
            try makeLayout(home, "one")
            let script = "cd \"$1\"; mkdir -p work; cp -r one work/layout; skopeo copy -q oci:one:one:1 docker-archive:work/saved.tar:one:1"
            let made = try Command("sh", ["-ec", script, "sh", home.path]).capture()
            try #require(made.status == .exited(0), "\(made.errors)")
            for base in ["oci:layout:one:1", "oci:./saved.tar", "oci-layout:saved.tar"] {
                try home.terrine(["build", recipe(home, base), "-q"], expect: 0)
                #expect(try seen(home) == "one\none\n", "\(base)")
            }
            let wrong = try home.terrine("build", recipe(home, "oci:debian:12"), expect: 2)
            #expect(wrong.errors.contains("oci:docker.io/library/debian:12"))
        }
    }
}
