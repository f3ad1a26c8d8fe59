import Builder
import Testing

@testable import Autoinstall

@Suite struct MeterTests {
    @Test("what was running when the time was over is the goal, or else the step, that began and has not ended")
    func interrupted() throws {
        let journal = StepJournal(SilentReporter())
        #expect(journal.running == nil)
        journal.report(.planned(recipe: "x", steps: ["packages", "compile"]))
        journal.report(.started(step: 0, reason: "never built"))
        journal.report(.finished(step: 0, milliseconds: 1, bytes: nil))
        journal.report(.started(step: 1, reason: "never built"))
        let step = try #require(journal.running)
        #expect(step.phase == .step && step.name == "compile" && "\(step)".hasPrefix("step `compile` after "))
        journal.report(.finished(step: 1, milliseconds: 1, bytes: nil))
        journal.report(.checkStarted(name: "tests"))
        let goal = try #require(journal.running)
        #expect(goal.phase == .goal && goal.name == "tests")
        journal.report(.checkFinished(name: "tests", problem: nil, milliseconds: 1))
        #expect(journal.running == nil)
    }

    @Test("the last lines of an output are plain, and none is longer than a page is wide")
    func lastLines() {
        let output = (1...50).map { "line \($0)\n" }.joined() + "\u{1B}[31mred\u{1B}[0m\n\n" + String(repeating: "x", count: 1000) + "\n"
        let shown = OutputText.shown(output, last: 3)
        #expect(shown == ["line 50", "red", String(repeating: "x", count: 400)])
        #expect(OutputText.shown("", last: 3).isEmpty)
    }
}
