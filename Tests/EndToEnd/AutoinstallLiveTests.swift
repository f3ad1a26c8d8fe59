import Foundation
import Testing

/// An agent in a machine says what is missing: on machines of the small base, with an apt of a few lines in them and in the recipe's manager.
@Suite("autoinstall in a machine that runs", .serialized, .enabled(if: MachineNeeds.met))
struct AutoinstallLiveTests {
    private struct Answer: Decodable {
        struct Live: Decodable {
            struct Mended: Decodable {
                let lack: String
                let state: String
            }
            struct Blocker: Decodable { let subject: String }
            let mended: [Mended]
            let blockers: [Blocker]
            let tried: [String]
            let isPending: Bool
            let proof: String?
        }
        struct Proof: Decodable {
            let proven: [String]
            let refuted: [String]
            let written: Bool
        }
        let live: Live
        let proof: Proof?
    }

    /// What `apt-get install` does in the machine; `frob-fake` brings nothing.
    static let apt = """
        steps:
          - name: apt
            inputs: []
            run: |
              cat > /usr/bin/apt-get <<'END'
              #!/bin/sh
              for last; do :; done
              [ "$last" = frob-tools ] || exit 0
              echo installed >> /var/tmp/installs
              printf '#!/bin/sh\\necho frob 1.0\\n' > /usr/bin/frob
              chmod 755 /usr/bin/frob
              END
              chmod 755 /usr/bin/apt-get

        """

    /// They do without what an agent misses.
    private static let tests = "echo 1..1\necho ok 1 - opens\n"

    private func heal(_ home: Home, _ folder: String, _ machine: String, _ more: String..., expect code: Int32 = 0) throws -> Answer {
        try home.terrine(["autoinstall", folder, "--machine", machine, "--json"] + more, expect: code).json()
    }

    @Test("what is missing is there at once, the recipe has it when it is proven, and whoever reports it too gets the same fix")
    func missing() throws {
        try AutoinstallTests.with(Self.tests, more: Self.apt) { home, folder in
            try home.terrine("build", folder, "-t", "live:1", expect: 0)
            for name in ["a", "b"] { try home.terrine("start", "live:1", "--name", name, expect: 0) }

            let first = try heal(home, folder, "a", "--missing", "frob", "--wait")
            // The package that is asked for most is tried first, and does not bring it.
            #expect(first.live.mended.map(\.state) == ["installed"] && first.live.tried.count == 1)
            #expect(first.proof?.proven == ["command frob"] && first.proof?.written == true)
            #expect(try home.terrine("exec", "a", "--", "frob", expect: 0).output == "frob 1.0\n")
            let recipe = try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8)
            #expect(recipe.contains("- frob-tools  # command frob") && !recipe.contains("frob-fake") && !recipe.contains("mended 1"))

            let again = try heal(home, folder, "a", "--missing", "frob", "--wait")
            #expect(again.live.mended.map(\.state) == ["already"] && again.proof == nil)
            #expect(try home.terrine("exec", "a", "--", "cat", "/var/tmp/installs", expect: 0).lines.count == 1)

            let other = try heal(home, folder, "b", "--missing", "frob --version", "--wait")
            #expect(other.live.mended.map(\.state) == ["installed"] && other.live.tried.isEmpty && !other.live.isPending && other.proof == nil)
            #expect(try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8) == recipe)

            try home.write("failed.log", "sh: nothing-has-this: not found\n")
            let blocked = try heal(home, folder, "a", "--failed-log", home.path + "/failed.log", expect: 1)
            #expect(blocked.live.blockers.map(\.subject) == ["nothing-has-this"])
            try home.terrine("rm", "--all", expect: 0)
        }
    }

    @Test("the proof goes on by itself when nobody waits")
    func background() throws {
        try AutoinstallTests.with(Self.tests, more: Self.apt) { home, folder in
            try home.terrine("build", folder, "-t", "live:1", expect: 0)
            try home.terrine("start", "live:1", "--name", "a", expect: 0)
            let answer = try heal(home, folder, "a", "--missing", "frob")
            #expect(answer.live.isPending && answer.proof == nil && answer.live.proof != nil)
            let end = ContinuousClock.now + .seconds(120)
            func isWritten() throws -> Bool { try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8).contains("- frob-tools") }
            while try !isWritten(), ContinuousClock.now < end { usleep(100_000) }
            #expect(try isWritten(), "\((try? String(contentsOfFile: answer.live.proof ?? "", encoding: .utf8)) ?? "")")
            // Waits for the process that proves, which is about to end.
            try home.terrine("autoinstall", folder, "--prove-pending", expect: 0)
            try home.terrine("rm", "--all", expect: 0)
        }
    }

    @Test("what is said by halves is wrong usage")
    func usage() throws {
        try Home.with { home in
            for words in [["--missing", "jq"], ["--machine", "a"], ["--machine", "a", "--missing", "jq", "--failed-log", "x"]] {
                try home.terrine(["autoinstall", home.path] + words, expect: 2)
            }
        }
    }
}
