import Testing

@testable import Autoinstall

@Suite struct SummaryTests {
    @Test("what runners print is read as what they did", arguments: Fixtures.names("summaries"))
    func summaries(_ name: String) throws {
        let text = try Fixtures.text("summaries/\(name)")
        let head = try #require(text.split(separator: "\n").first).split(separator: " ").map(String.init)
        let output = String(text.drop { $0 != "\n" }.dropFirst())
        let runner = try #require(TestSummary.Runner(rawValue: head[0]))
        let expected = TestSummary(runner, passed: try #require(Int(head[1])), failed: try #require(Int(head[2])), skipped: try #require(Int(head[3])))
        #expect(TestSummary.parse(output, runner: runner) == expected)
        // Somebody who does not know the runner gets the same numbers.
        let anyone = try #require(TestSummary.parse(output))
        #expect(anyone.ran == expected.ran && anyone.failed == expected.failed, "read as \(anyone)")
    }

    @Test("every runner has a reader and a fixture")
    func complete() throws {
        let runners = try Set(Fixtures.names("summaries").map { try Fixtures.text("summaries/\($0)").split(separator: " ").first.map(String.init) })
        for runner in TestSummary.Runner.allCases {
            #expect(SummaryReader.readers[runner] != nil && runners.contains(runner.rawValue), "\(runner)")
        }
    }

    @Test(
        "what says nothing of tests is no summary", arguments: ["", "make: Nothing to be done for 'all'.\n", "Hello\nOK then\n", "5 files passed inspection\n"])
    func nothing(_ output: String) {
        #expect(TestSummary.parse(output) == nil)
    }

    @Test("green is honest: exit code 0 without tests is not reached")
    func honest() {
        let goal = Goal(.test, "pytest", runner: .pytest, evidence: Evidence(file: "tox.ini"), origin: "python")
        #expect(goal.judge(exit: 0, output: "no tests ran in 0.01s\n") == .nothingRan)
        #expect(goal.judge(exit: 0, output: "3 skipped in 0.01s\n") == .nothingRan)
        #expect(goal.judge(exit: 0, output: "all is well\n") == .nothingRan)
        #expect(goal.judge(exit: 0, output: "5 passed in 0.10s\n") == .reached(TestSummary(.pytest, passed: 5)))
        #expect(goal.judge(exit: 1, output: "1 failed, 5 passed in 0.10s\n") == .testsFailed(TestSummary(.pytest, passed: 5, failed: 1)))
        #expect(goal.judge(exit: 0, output: "1 failed, 5 passed in 0.10s\n").isReached == false)
        #expect(goal.judge(exit: 2, output: "") == .wrongExit(2))
    }

    @Test("other goals are judged by exit code and output")
    func others() {
        let goal = Goal(.version, "gcc --version", pattern: "^gcc", evidence: Evidence(file: "Makefile"), origin: "c-make")
        #expect(goal.judge(exit: 0, output: "gcc (Debian 12.2.0-14) 12.2.0\n") == .reached(nil))
        #expect(goal.judge(exit: 0, output: "clang\n") == .outputWithout("^gcc"))
        #expect(goal.judge(exit: 127, output: "sh: 1: gcc: not found\n") == .wrongExit(127))
    }
}
