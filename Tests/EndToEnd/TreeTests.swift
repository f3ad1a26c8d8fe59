import Foundation
import Linux
import Testing

@Suite("Files of images", .serialized, .enabled(if: MachineNeeds.met))
struct TreeTests {
    private struct Inspected: Decodable {
        struct Layer: Decodable { let diffID: String }
        let digest: String
        let treeDigest: String?
        let layers: [Layer]
        let step: String?
        let environment: [String: String]
    }

    private struct Flat: Decodable {
        let digest: String
        let treeDigest: String
    }

    private static let recipe = """
        env: { GREETING: hello }
        steps:
          - name: first
            run: "mkdir -p /opt/many; for i in $(seq 200); do echo $i > /opt/many/$i; done; ln /opt/many/1 /opt/one; ln -s many /opt/link; mkfifo /opt/fifo"
            inputs: []
          - { name: second, run: "echo changed > /opt/many/7; chmod 4755 /opt/many/8; dd if=/dev/zero of=/opt/zeroes bs=1M count=3; mkdir -p /var/log; date > /var/log/now", inputs: [] }

        """

    private func inspect(_ home: Home, _ image: String) throws -> Inspected { try home.terrine("inspect", image, expect: 0).json() }

    @Test("the same recipe on two stores gives one tree digest, and one image byte for byte once flattened, which runs as before")
    func flatten() throws {
        var seen: [Flat] = []
        for _ in 0..<2 {
            try Home.with { home in
                let folder = try home.writeRecipe("files: [ { from: ./a.txt, to: /a.txt } ]\n" + Self.recipe)
                try home.write("work/a.txt", "a\n")
                try home.terrine("build", folder, "-t", "it:1", expect: 0)
                let built = try inspect(home, "it:1")
                let flat: Flat = try home.terrine("flatten", "it:1", "-t", "flat:1", "--json", expect: 0).json()
                #expect(flat.treeDigest == built.treeDigest)
                let inspected = try inspect(home, "flat:1")
                #expect(inspected.layers.count == 1 && inspected.digest == flat.digest && inspected.digest != built.digest)
                #expect(inspected.environment["GREETING"] == "hello")
                // Once more takes nothing, of the result neither, and a build can end so.
                #expect(try home.terrine("flatten", "flat:1", expect: 0).output == flat.digest + "\n")
                try home.terrine("build", folder, "-t", "it:2", "--flatten", expect: 0)
                #expect(try inspect(home, "it:2").digest == flat.digest)
                let script =
                    "cat /a.txt /opt/link/7 /opt/one; stat -c %a /opt/many/8; stat -c %h /opt/one; stat -c %Y /opt/one; wc -c < /opt/zeroes; echo $GREETING; echo x > /new"
                let run = try home.terrine("run", "--rm", "flat:1", "--", "sh", "-c", script, expect: 0)
                #expect(run.output == "a\nchanged\n1\n4755\n2\n1700000000\n3145728\nhello\n")
                // Larger disks grow from it as from any.
                try home.terrine("run", "--rm", "--disk", "20GiB", "flat:1", "--", "sh", "-c", "test $(df -m / | awk 'END{print $2}') -gt 19000", expect: 0)
                try home.terrine("verify", "flat:1", expect: 0)
                seen.append(flat)
            }
        }
        #expect(seen.count == 2 && seen[0].digest == seen[1].digest && seen[0].treeDigest == seen[1].treeDigest)
    }

    @Test("every built image has its tree digest recorded; one that has none gets it when asked")
    func recorded() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.recipe)
            let commands = "git init -q && git add terrine.yaml && git -c user.name=n -c user.email=e commit -qm one"
            #expect(try Command("sh", ["-c", "cd '\(folder)' && \(commands)"]).capture().status == .exited(0))
            let first: BuildTests.Built = try home.terrine("build", folder, "-t", "it:1", "--json", expect: 0).json()
            let again: BuildTests.Built = try home.terrine("build", folder, "-t", "it:1", "--json", expect: 0).json()
            #expect(first.digest == again.digest && again.ran.isEmpty)
            let digest = try #require(try inspect(home, "it:1").treeDigest)
            struct Told: Decodable {
                struct Entry: Decodable {
                    let digest: String
                    let treeDigest: String?
                    let step: String?
                    let cacheKey: String?
                    let builder: String?
                    let milliseconds: Int?
                    let commit: String?
                }
                let history: [Entry]
            }
            let history: Told = try home.terrine("history", "it:1", "--json", expect: 0).json()
            #expect(history.history[0].treeDigest == digest && history.history[0].digest == first.digest)
            let commit = try Command("git", ["-C", folder, "rev-parse", "HEAD"]).capture().output.trimmingCharacters(in: .whitespacesAndNewlines)
            for one in history.history {
                #expect(one.cacheKey != nil && one.builder?.contains("@") == true && (one.milliseconds ?? -1) >= 0)
                #expect(one.commit == commit || one.step == "base tar")
            }
            #expect(try home.terrine("history", "it:1", expect: 0).output.contains(commit.prefix(12)))
            // Of the steps it is read when asked for, and is what their images are inspected to have.
            let trees: Told = try home.terrine("history", "it:1", "--trees", "--json", expect: 0).json()
            #expect(history.history.contains { $0.treeDigest == nil } && trees.history.map(\.digest) == history.history.map(\.digest))
            for one in trees.history { #expect(try one.treeDigest != nil && one.treeDigest == inspect(home, one.digest).treeDigest) }
            #expect(Set(trees.history.map(\.treeDigest)).count > 1)
            #expect(try home.terrine("history", "it:1", "--trees", expect: 0).output.contains(digest.dropFirst(7).prefix(12)))
            // A machine that wrote nothing has the same files; one that wrote has not.
            try home.terrine("start", "it:1", "--name", "m", expect: 0)
            try home.terrine("checkpoint", "m", "-t", "same:1", expect: 0)
            try home.terrine("exec", "m", "--", "sh", "-c", "echo x > /new", expect: 0)
            try home.terrine("checkpoint", "m", "-t", "other:1", expect: 0)
            try home.terrine("rm", "m", expect: 0)
            let other = try inspect(home, "other:1").treeDigest
            #expect(other != nil && other != digest)
        }
    }

    @Test("diff tells files that were added, changed and removed, largest first, with what changed")
    func diff() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.recipe)
            try home.terrine("build", folder, "-t", "it:1", expect: 0)
            let more = "  - { name: third, run: sh third.sh, inputs: [third.sh] }\n"
            try home.write(
                "work/third.sh",
                """
                rm -r /opt/many/2*; head -c 500000 /dev/urandom > /big; chown 7 /opt/many/9; echo xyz > /opt/many/7
                mkdir -p /var/lib/dpkg /usr/lib/python3/dist-packages/Some_Thing-2.0.dist-info
                printf 'Package: jq\\nStatus: install ok installed\\nVersion: 1.6-2\\nArchitecture: amd64\\n' > /var/lib/dpkg/status
                printf 'Name: Some_Thing\\nVersion: 2.0\\n' > /usr/lib/python3/dist-packages/Some_Thing-2.0.dist-info/METADATA

                """)
            try home.writeRecipe(Self.recipe + more)
            try home.terrine("build", folder, "-t", "it:2", expect: 0)
            struct Difference: Decodable {
                struct File: Decodable {
                    let path: String
                    let change: String
                    let what: [String]
                    let oldBytes: Int64?
                    let newBytes: Int64?
                }
                struct Sums: Decodable {
                    let added: Int
                    let removed: Int
                    let changed: Int
                    let addedBytes: Int64
                }
                struct Package: Decodable, Equatable {
                    let name: String
                    let change: String
                    let newVersion: String?
                }
                let files: [File]
                let packages: [Package]
                let sums: Sums
            }
            let told: Difference = try home.terrine("diff", "it:1", "it:2", "--json", expect: 0).json()
            #expect(told.files.first?.path == "big" && told.files.first?.newBytes == 500_000)
            #expect(told.sums.addedBytes > 500_000 && told.sums.removed == 12 && told.sums.changed == 3)
            let packages = told.packages.map { "\($0.change) \($0.name) \($0.newVersion ?? "-")" }
            #expect(packages.count == 2 && packages[0] == "added jq 1.6-2" && packages[1].lowercased().hasSuffix("thing 2.0"), "\(packages)")
            #expect(told.files.first { $0.path == "opt/many/9" }?.what == ["owner"])
            #expect(told.files.first { $0.path == "opt/many/7" }?.what == ["content"])
            #expect(told.files.first { $0.path == "opt/many/200" }?.change == "removed")
            let page = try home.terrine("diff", "it:1", "it:2", expect: 0).lines
            #expect(page[0].contains("12 removed") && page.contains { $0.contains("added") && $0.contains("488 KiB") && $0.hasSuffix("big") })
            #expect(page.contains { $0.contains("jq") && $0.contains("1.6-2") })
            #expect(try home.terrine("diff", "it:1", "it:1", expect: 0).output == "the files of both are the same\n")
            #expect(try home.terrine("diff", "it:1", "nothing:1").code == 1)
        }
    }

    @Test("explain tells the layer and step that last wrote a file, through links, and what it changed")
    func explain() throws {
        try Home.with { home in
            try home.terrine("build", home.writeRecipe(Self.recipe), "-t", "it:1", expect: 0)
            struct Origin: Decodable {
                let path: String
                let step: String?
                let layer: Int
                let change: String
                let kind: String
                let bytes: Int64?
                let mode: String
            }
            func explain(_ path: String) throws -> Origin { try home.terrine("explain", "it:1", path, "--json", expect: 0).json() }
            let seventh = try explain("/opt/link/7")
            #expect(seventh.path == "/opt/many/7" && seventh.step == "second" && seventh.change == "content" && seventh.bytes == 8)
            let eighth = try explain("/opt/many/8")
            #expect(eighth.step == "second" && eighth.change == "mode" && eighth.mode == "4755")
            let one = try explain("/opt/one")
            #expect(one.step == "first" && one.change == "added" && one.layer == 2)
            let shell = try explain("/bin/busybox")
            #expect(shell.step == "base tar" && shell.layer == 1)
            #expect(try explain("/opt/link").kind == "link")
            let page = try home.terrine("explain", "it:1", "/opt/one", expect: 0).output
            #expect(page.contains("step     first\n"))
            let missing = try home.terrine("explain", "it:1", "/nowhere")
            #expect(missing.code == 1 && missing.errors.contains("there is no /nowhere"))
            // The images in between are gone, the layers are not.
            try home.terrine("gc", "--cache", "0h", expect: 0)
            let late = try explain("/opt/many/8")
            #expect(late.layer == eighth.layer && late.change == "mode")
        }
    }
}
