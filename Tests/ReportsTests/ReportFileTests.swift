import Foundation
import Linux
import TestSupport
import Testing

@testable import Builder
@testable import Reports

@Suite("Reports of a CI job")
struct ReportFileTests {
    /// A job whose second check failed, with names and output that are no plain text.
    static func failed() -> CIReport {
        let recorder = BuildRecorder(SilentReporter())
        recorder.report(.planned(recipe: "shop", steps: ["base <x>", "compile & link", "workspace"]))
        recorder.report(.cached(step: 0))
        recorder.report(.started(step: 1, reason: "input a|b.c changed"))
        recorder.report(.output(step: 1, line: "\u{1B}[31mred\u{1B}[0m \u{1B}]0;title\u{07}]]> \u{0}\u{1} `code`"))
        recorder.report(.finished(step: 1, milliseconds: 61_234, bytes: 4096))
        recorder.report(.cached(step: 2))
        recorder.report(.checkStarted(name: "good"))
        recorder.report(.checkFinished(name: "good", problem: nil, milliseconds: 12))
        recorder.report(.checkStarted(name: "bad \"one\""))
        recorder.report(.checkOutput(name: "bad \"one\"", line: "```"))
        recorder.report(.checkOutput(name: "bad \"one\"", line: "wrong"))
        recorder.report(.checkFinished(name: "bad \"one\"", problem: "ended with 3, not 0", milliseconds: 1500))
        var report = CIReport(name: "shop", revision: Revision(branch: "fix/a", commit: String(repeating: "a", count: 40)))
        report.failure = .init(message: "the check failed", cause: "wrong", fix: "mend it")
        report.milliseconds = 63_000
        report.take(recorder, checks: ["good", "bad \"one\"", "never"])
        return report
    }

    static func stopped() -> CIReport {
        let recorder = BuildRecorder(SilentReporter())
        recorder.report(.planned(recipe: "api", steps: ["base", "compile"]))
        recorder.report(.started(step: 0, reason: "never built"))
        recorder.report(.output(step: 0, line: "no network"))
        recorder.report(.failed(step: 0, milliseconds: 5))
        var report = CIReport(name: "api", revision: Revision(branch: "main", commit: nil))
        report.failure = .init(message: "the step `base` ended with 1", cause: nil, fix: nil)
        report.take(recorder, checks: ["late"])
        return report
    }

    @Test("a JUnit file says of every step and check whether it failed, with what was printed; control characters do not break it")
    func junit() {
        let text = JUnitDocument([Self.failed()]).text
        #expect(text.contains(#"<testsuites name="terrine" tests="6" failures="1" errors="0" skipped="1" time="62.746">"#))
        #expect(text.contains(#"<testcase classname="shop.build" name="compile &amp; link" time="61.234">"#))
        #expect(text.contains("ran: input a|b.c changed\nred ]]&gt; \u{FFFD}\u{FFFD} `code`"))
        #expect(text.contains(#"<failure message="ended with 3, not 0" type="failure">```"# + "\nwrong</failure>"))
        #expect(text.contains(#"name="bad &quot;one&quot;""#))
        #expect(!text.contains("\u{1B}"))
    }

    @Test("a reader of JUnit files finds the same numbers", .enabled(if: PythonTools.met))
    func junitReader() throws {
        let tools = try #require(PythonTools.programs)
        let path = NSTemporaryDirectory() + "terrine-junit-\(UUID().uuidString.prefix(8)).xml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try JUnitDocument([Self.failed(), Self.stopped()]).text.write(toFile: path, atomically: true, encoding: .utf8)
        let script = """
            import sys
            from junitparser import JUnitXml, Failure, Skipped
            xml = JUnitXml.fromfile(sys.argv[1])
            for suite in xml:
                cases = list(suite)
                failed = [c.name for c in cases if any(isinstance(r, Failure) for r in c.result)]
                skipped = [c.name for c in cases if any(isinstance(r, Skipped) for r in c.result)]
                assert (suite.tests, suite.failures, suite.skipped) == (len(cases), len(failed), len(skipped)), suite.name
                print(suite.name, len(cases), failed, skipped)
            """
        let said = try Command(tools + "/python3", ["-c", script, path]).capture()
        #expect(
            said.output == """
                shop.build 3 [] []
                shop.checks 3 ['bad "one"'] ['never']
                api.build 2 ['base'] ['compile']
                api.checks 1 [] ['late']

                """, "\(said.errors)")
    }

    @Test("a recipe that is not in order is a failure of its own")
    func recipe() {
        var report = CIReport(name: "shop", revision: Revision(branch: "main", commit: nil))
        report.failure = .init(message: "the recipe is not in order", cause: "terrine.yaml:3:1: unknown key", fix: nil)
        #expect(JUnitDocument([report]).text.contains(#"failures="1""#))
        #expect(JUnitDocument([report]).text.contains("terrine.yaml:3:1: unknown key</failure>"))
    }

    @Test("the summary page keeps tables whole, whatever steps and files are called, and fences what has fences in it")
    func summary() {
        var report = Self.failed()
        report.difference = .init(
            since: "shop:branch-main",
            packages: [.init(ecosystem: .debian, name: "curl", architecture: "amd64", change: .changed, oldVersion: "1", newVersion: "2")],
            files: [.init(path: "etc/a`b|c", change: .added, oldBytes: nil, newBytes: 10)])
        let text = SummaryPage([report], size: { "\($0) B" }).text
        #expect(text.contains("## shop: failed ❌"))
        #expect(text.contains("| compile &amp; link | ran: input a\\|b.c changed | 1 min 1 s | 4096 B |"))
        #expect(text.contains(#"| bad "one" | ❌ ended with 3, not 0 | 1.5 s |"#))
        #expect(text.contains("| never | did not run |"))
        #expect(text.contains("````\n```\nwrong\n````"))
        #expect(text.contains("| curl | deb | 1 | 2 |"))
        #expect(text.contains("| `` etc/a`b\\|c `` | added | - | 10 B |"))
        for line in text.split(separator: "\n") where line.hasPrefix("|") { #expect(line.hasSuffix("|")) }
    }

    @Test("output is kept from its end, so that a report does not grow with it")
    func output() {
        var output = KeptOutput()
        for number in 0..<100_000 { output.add("line \(number)") }
        #expect(output.text.utf8.count < 3 * KeptOutput.limit)
        #expect(output.text.hasSuffix("line 99999"))
        #expect(output.text.hasPrefix("(\(output.dropped) lines before this are left out)\nline \(output.dropped)\n"))
    }

    @Test("a branch's name becomes a tag: plain ones can be read, others are told apart")
    func slugs() {
        #expect(Revision.reference("shop", branch: "main") == "shop:branch-main")
        #expect(Revision.reference("shop", branch: "feature/Login_2.0") == "shop:branch-feature-Login_2.0")
        #expect(Revision.slug("a b") != Revision.slug("a?b"))
        #expect(Revision.slug(String(repeating: "ä/", count: 300)).count < 110)
        #expect(Revision.slug(String(repeating: "x", count: 300)).count < 110)
    }

    @Test("the branch is what was asked for, else what the service says, else the repository's")
    func revision() throws {
        let folder = NSTemporaryDirectory() + "terrine-revision-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder + "/sub", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func git(_ arguments: String...) throws {
            let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=trunk"]
            let made = try Command("git", ["-C", folder] + identity + arguments).capture()
            #expect(made.status == .exited(0), "\(made.errors)")
        }
        func branch(_ environment: [String: String], asked: String? = nil) throws -> String {
            try Revision.find(branch: asked, environment: environment, folder: folder + "/sub").branch
        }
        let pull = ["GITHUB_HEAD_REF": "feature", "GITHUB_REF_NAME": "12/merge", "GITHUB_SHA": "f"]
        #expect(try Revision.find(branch: nil, environment: pull, folder: folder) == Revision(branch: "feature", commit: "f"))
        #expect(throws: ReportError.self) { try branch([:]) }
        try git("init", "-q")
        try git("commit", "-q", "--allow-empty", "-m", "one")
        #expect(try branch([:]) == "trunk")
        #expect(try branch(["GITHUB_HEAD_REF": "", "GITHUB_REF_NAME": "main"]) == "main")
        #expect(try branch(["CI_COMMIT_REF_NAME": "topic"]) == "topic")
        #expect(try branch(pull, asked: "mine") == "mine")
        #expect(try Revision.find(branch: nil, environment: pull, folder: folder).commit?.count == 40)
        try git("checkout", "-q", "--detach")
        #expect(throws: ReportError.self) { try branch([:]) }
    }
}
