import Foundation
import Glibc
import Testing

@testable import Autoinstall

/// What `autoinstall --json` prints, as far as tests look at it.
struct HealedRepository: Decodable {
    struct Goal: Decodable {
        let command: String
        let kind: String
        let passed: Bool
        let problem: String?
    }
    struct Tests: Decodable {
        let command: String
        let ran, passed, failed, quarantined: Int
    }
    struct Blocker: Decodable {
        let kind: String
        let subject: String
        let evidence: String
        let whoCanFix: String
        private enum CodingKeys: String, CodingKey {
            case kind, subject, evidence
            case whoCanFix = "who_can_fix"
        }
    }
    struct Change: Decodable { let reason: String }
    struct Saved: Decodable { let seconds: Double }
    struct Output: Decodable {
        let name: String
        let exit: Int32
        let lines: [String]
    }
    struct Model: Decodable { let questions, tokens: Int }

    let result: String
    let goals: [Goal]
    let tests: Tests
    let rounds: Int
    let seconds: Double
    let commandSeconds: Double
    let ownSeconds: Double
    let saved: Saved
    let blockers: [Blocker]
    let failures: [Output]
    let model: Model?
    let proven: Bool
    let changes: [Change]
    let notes: [String]
    let diff: String
    let recipe: String
    let written: Bool
}

/// The loop on machines of the small base, with a package manager of a few lines in the place of apt and an index of three packages: as real as any, in seconds.
@Suite("autoinstall", .serialized, .enabled(if: MachineNeeds.met))
struct AutoinstallTests {
    static let apt = """
        version: 1
        name: apt
        program: sh
        items: { shape: "a package", pattern: "[a-z0-9.+-]+" }
        install: |
          for package in "$@"; do
            case "$package" in
              frob-tools) printf '#!/bin/sh\\necho frob 1.0\\n' > /usr/bin/frob; chmod 755 /usr/bin/frob ;;
              frob-fake|frob-odd) ;;
              *) echo "E: Unable to locate package $package" >&2; exit 100 ;;
            esac
          done

        """

    /// The package that is asked for most has the program by its files alone: the first remedy is not the one that helps.
    static func writeIndex(_ home: Home, more: String = "") throws {
        var writer = KnowledgeWriter()
        let contents = Array("usr/bin/frob    utils/frob-fake,utils/frob-tools\(more)\n".utf8)
        contents.withUnsafeBytes { ContentsReader(architecture: "amd64").read($0, into: &writer) }
        let bytes = writer.finish(made: UInt64(Date().timeIntervalSince1970), uses: ["frob-fake": 100, "frob-odd": 50, "frob-tools": 5])
        try FileManager.default.createDirectory(atPath: home.path + "/knowledge", withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(filePath: home.path + "/knowledge/bookworm-amd64.idx"))
    }

    /// A repository whose tests are `run-tests`, with `more` at the end of its recipe.
    static func with(_ tests: String, more: String = "", _ body: (Home, String) throws -> Void) throws {
        try Home.with { home in
            try writeIndex(home)
            try home.write("managers/apt.yaml", apt)
            let folder = try home.writeRecipe("checks:\n  - name: tests # the project's own\n    run: sh ./run-tests\n" + more)
            try home.write("work/run-tests", tests)
            try body(home, folder)
        }
    }

    private static func heal(_ home: Home, _ folder: String, _ more: String..., expect code: Int32) throws -> HealedRepository {
        try home.terrine(["autoinstall", folder, "--json"] + more, expect: code).json()
    }

    private static let passing = "set -e\nfrob --version\necho 1..2\necho ok 1 - opens\necho ok 2 - closes\n"

    @Test("a program that the tests miss is put into the recipe, the package that does not help is not, and a second run has nothing to do")
    func mends() throws {
        try Self.with(Self.passing) { home, folder in
            let before = try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8)
            let shown = try Self.heal(home, folder, expect: 0)
            #expect(shown.result == "green" && shown.proven && !shown.written && shown.tests.ran == 2 && shown.tests.command == "sh ./run-tests")
            #expect(
                shown.rounds == 3 && shown.changes.count == 1 && shown.diff.contains("+    - frob-tools  # command frob") && !shown.diff.contains("frob-fake"))
            #expect(!shown.diff.contains("\n-") && shown.blockers.isEmpty && shown.goals.map(\.passed) == [true])
            #expect(shown.seconds > 0 && shown.ownSeconds < shown.seconds && shown.commandSeconds > 0)
            #expect(try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8) == before)

            let written = try Self.heal(home, folder, "--write", expect: 0)
            #expect(written.written && written.saved.seconds >= 0)
            let after = try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8)
            #expect(after == written.recipe && after.contains("  - name: tests # the project's own\n"))
            _ = try home.terrine("build", folder, expect: 0)

            let again = try Self.heal(home, folder, "--write", expect: 0)
            #expect(again.result == "green" && again.rounds == 1 && again.diff.isEmpty && again.changes.isEmpty && !again.written && again.tests.ran == 2)
            #expect(again.ownSeconds < 2)
            let page = try home.terrine("autoinstall", folder, expect: 0).output
            #expect(page.hasPrefix("green: 2 tests passed (`sh ./run-tests`)"))
        }
    }

    @Test("when the likeliest package does not help, the others are tried side by side")
    func sideBySide() throws {
        try Self.with(Self.passing, more: AutoinstallLiveTests.apt) { home, folder in
            try Self.writeIndex(home, more: ",utils/frob-odd")
            let shown = try Self.heal(home, folder, expect: 0)
            // One round for what is missing, one for the likeliest, one with what helped: each package in turn would take four.
            #expect(shown.rounds == 3 && shown.proven && shown.diff.contains("+    - frob-tools  # command frob") && !shown.diff.contains("frob-odd"))
            let page = try home.terrine("autoinstall", folder, expect: 0)
            #expect(
                page.errors.contains("side by side: 2 more remedies for command frob") || ProcessInfo.processInfo.activeProcessorCount == 1, "\(page.errors)")
        }
    }

    @Test("a run of no tests is not green, whatever its exit code")
    func nothingRan() throws {
        try Self.with("echo 1..0\n") { home, folder in
            let healed = try Self.heal(home, folder, expect: 1)
            #expect(healed.result != "green" && healed.tests.ran == 0 && healed.diff.isEmpty && healed.goals.first?.problem?.contains("nothing says") == true)
        }
    }

    @Test("a secret that tests only want to be there gets a clearly made-up value; one that they look at is a blocker for who holds it")
    func secrets() throws {
        let unset = "set -eu\n: \"$SHOP_API_TOKEN\"\n"
        try Self.with(unset + "echo 1..1\necho ok 1 - runs\n") { home, folder in
            let healed = try Self.heal(home, folder, expect: 0)
            #expect(healed.diff.contains("+    value: terrine-placeholder-not-a-secret\n"))
            #expect(healed.diff.contains("+  - name: SHOP_API_TOKEN\n+    for: the secret SHOP_API_TOKEN\n+    reason: "))
        }
        try Self.with(unset + "[ \"$SHOP_API_TOKEN\" = right ] || { echo 'wrong token'; exit 1; }\n") { home, folder in
            let healed = try Self.heal(home, folder, expect: 1)
            #expect(healed.result == "blocked" && healed.diff.isEmpty)
            #expect(healed.blockers.map { [$0.kind, $0.subject, $0.whoCanFix] } == [["secret", "SHOP_API_TOKEN", "secret-holder"]])
        }
        try Self.with(Self.passing, more: "secrets: [{ name: SHOP_DEPLOY_KEY, required: true }]\n") { home, folder in
            let healed = try Self.heal(home, folder, expect: 1)
            #expect(healed.result == "blocked" && healed.blockers.map(\.subject) == ["SHOP_DEPLOY_KEY"] && healed.model == nil)
        }
    }

    @Test("a network that the recipe closes stays closed: that is a blocker, and nothing to try")
    func network() throws {
        let tests = "echo 'curl: (6) Could not resolve host: api.example.com'\nexit 6\n"
        try Self.with(tests, more: "network: { run: none }\n") { home, folder in
            let healed = try Self.heal(home, folder, expect: 1)
            #expect(healed.result == "blocked" && healed.diff.isEmpty && healed.blockers.first?.whoCanFix == "network-administrator")
            #expect(healed.failures.map(\.name) == ["tests"] && healed.failures.first?.exit == 6)
            #expect(healed.failures.first?.lines == ["curl: (6) Could not resolve host: api.example.com"])
            #expect(healed.rounds == 1)
        }
    }

    /// A runner that counts as pytest does and leaves out what it is told to.
    private static func pytest(_ failing: Int, of all: Int) -> String {
        """
        failed=\(failing)
        for number in $(seq 1 \(failing)); do
          case "$PYTEST_ADDOPTS" in *"test_$number\\""*) failed=$((failed - 1)) ;; *) echo "FAILED tests/test_shop.py::test_$number - AssertionError" ;; esac
        done
        [ $failed -gt 0 ] || { echo "==== \(all - failing) passed, \(failing) deselected in 0.1s ===="; exit 0; }
        echo "==== $failed failed, \(all - failing) passed in 0.1s ===="
        exit 1

        """
    }

    @Test("one test of forty that fails twice alike is left out by its name; two of twenty are too many")
    func quarantine() throws {
        try Self.with(Self.pytest(1, of: 40)) { home, folder in
            let healed = try Self.heal(home, folder, expect: 0)
            #expect(healed.result == "green" && healed.tests.ran == 39 && healed.tests.quarantined == 1)
            #expect(healed.diff.contains("--deselect") && healed.diff.contains("tests/test_shop.py::test_1") && healed.diff.contains("failed twice alike"))
        }
        try Self.with(Self.pytest(2, of: 20)) { home, folder in
            let healed = try Self.heal(home, folder, expect: 1)
            #expect(healed.result == "partial" && healed.tests.failed == 2 && healed.tests.quarantined == 0 && healed.diff.isEmpty)
        }
    }

    @Test("what a program printed is no more than a name: nothing of it gets into a recipe or a shell")
    func hostile() throws {
        try Self.with("echo \"./x: line 3: \\$(touch${IFS}/pwned): not found\"\necho 'sh: 1: a;reboot: not found'\nexit 127\n") { home, folder in
            let healed = try Self.heal(home, folder, expect: 1)
            #expect(healed.result == "blocked" && healed.diff.isEmpty && !healed.recipe.contains("pwned"))
        }
    }

    @Test("time that is over ends it, with what is known by then, and in what it was over")
    func budget() throws {
        try Self.with("echo waiting\nsleep 60\n") { home, folder in
            let healed = try Self.heal(home, folder, "--budget", "4s", expect: 1)
            #expect(healed.result == "blocked" && healed.seconds < 30 && healed.blockers.map(\.kind) == ["time"])
            // A busy host may not get as far as the goal.
            let isSaid = healed.blockers.allSatisfy {
                $0.evidence.contains("4s were over") && ($0.subject.contains("tests") || healed.goals.first?.problem == "it never ran")
            }
            #expect(isSaid, "\(healed.blockers)")
            #expect(healed.notes.contains { $0.contains("--budget") } || healed.goals.first?.problem?.contains("timeout") == true)
        }
    }
}
