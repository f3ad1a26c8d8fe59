import Images
import Recipes

/// What became of a repository: for programs, and for people.
public struct HealingReport: Encodable, Sendable {
    public enum Verdict: String, Encodable, Sendable {
        /// The project's own tests ran from a clean image, and passed.
        case green
        /// Something works, but the tests do not, or not all.
        case partial
        /// Somebody has to do something first: the blockers say who and what.
        case blocked
    }

    public struct GoalResult: Encodable, Sendable {
        public let name: String
        public let command: String
        public let kind: Goal.Kind
        public let passed: Bool
        /// Why it did not pass, or is not among the checks.
        public let problem: String?
    }

    public struct Tests: Encodable, Sendable {
        public var command = ""
        public var ran = 0
        public var passed = 0
        public var failed = 0
        public var quarantined = 0
    }

    /// What a goal or step that does not work printed last.
    public struct Output: Encodable, Sendable {
        public let name: String
        public let exit: Int32
        public let lines: [String]

        /// What follows from a failure is long, and what it is stands near the end.
        static let limit = 40
    }

    public struct Change: Encodable, Sendable {
        public let round: Int
        public let reason: String
        public let patches: [RecipePatch]
        /// The goals and steps that it was for.
        public let targets: [String]
    }

    /// What did not have to be made, since steps of the first round were there.
    public struct Saved: Encodable, Sendable {
        public var bytes: Int64 = 0
        public var seconds = 0.0
    }

    public let result: Verdict
    public let goals: [GoalResult]
    public let tests: Tests
    public let rounds: Int
    public let seconds: Double
    /// In package managers, steps and goals.
    public let commandSeconds: Double
    /// For indices of packages, which a host makes once in two weeks.
    public let indexSeconds: Double
    /// All the rest: this program's own.
    public let ownSeconds: Double
    public let saved: Saved
    public let blockers: [Blocker]
    /// Of what does not work at the end, and of steps that were left out.
    public let failures: [Output]
    /// What asking a model has cost; absent when none was named.
    public let model: ModelProposer.Spent?
    /// Every step was built from the base on with nothing taken from a cache, and all goals of the recipe were reached.
    public let proven: Bool
    public let changes: [Change]
    public let quarantine: [Quarantine.Entry]
    public let notes: [String]
    /// Of the recipe; empty when nothing changed.
    public let diff: String
    /// The recipe as it ought to be.
    public let recipe: String
    /// Whether it was written.
    public var written = false

    /// Only what is worth keeping is: something works in it that did not before.
    public var isWorthWriting: Bool { !diff.isEmpty && proven && result != .blocked }

    /// For people.
    public var text: String {
        var lines: [String] = []
        switch result {
        case .green where tests.ran > 0:
            let aside = tests.quarantined > 0 ? ", \(tests.quarantined) left out by name" : ""
            lines.append("green: \(tests.passed) tests passed (`\(Evidence.shown(tests.command))`)\(aside)")
        case .green: lines.append("green: every check of the recipe passes, none of which counts tests")
        case .partial:
            lines.append("partial: " + (tests.ran > 0 ? "\(tests.failed) of \(tests.ran) tests fail" : "no test ran that a runner counts"))
        case .blocked: lines.append("blocked: \(blockers.count == 1 ? "one thing" : "\(blockers.count) things") that no recipe can mend")
        }
        for blocker in blockers {
            lines.append("  \(blocker.kind) \(blocker.subject): \(blocker.evidence)")
            lines.append("    \(blocker.whoCanFix.rawValue): \(blocker.suggestedFix)")
        }
        lines.append("goals: \(goals.count { $0.passed }) of \(goals.count) reached")
        for goal in goals {
            let first = Evidence.shown(goal.command.split(separator: "\n").last.map(String.init) ?? "")
            lines.append("  \(goal.passed ? "ok    " : "failed") \(goal.kind.rawValue): \(first)\(goal.problem.map { " (\($0))" } ?? "")")
        }
        for change in changes { lines.append("change: \(change.reason)") }
        for entry in quarantine { lines.append("left out: \(Evidence.shown(entry.test)): \(entry.evidence)") }
        for note in notes { lines.append("note: \(note)") }
        let share = "\(Self.shown(seconds)) s, of which \(Self.shown(ownSeconds)) s its own"
        let saved = saved.seconds > 0 ? "; steps that were there saved \(Self.shown(saved.seconds)) s and \(saved.bytes >> 20) MiB" : ""
        lines.append("\(rounds == 1 ? "1 round" : "\(rounds) rounds"), \(share)\(saved)\(proven ? "; proven from clean" : "")")
        return lines.joined(separator: "\n")
    }

    private static func shown(_ seconds: Double) -> String { "\((seconds * 10).rounded() / 10)" }
}

extension Healer {
    mutating func report(seconds: Duration, model: ModelProposer.Spent?) throws -> HealingReport {
        let text = try text()
        let tests = tests()
        let verdict = verdict()
        var seen: Set<String> = []
        var all = runs.values.sorted { ($0.goal.kind.order, $0.goal.rank, $0.goal.name) < ($1.goal.kind.order, $1.goal.rank, $1.goal.name) }.map { run in
            seen.insert(run.goal.name)
            return HealingReport.GoalResult(
                name: run.goal.name, command: run.goal.command, kind: run.goal.kind, passed: run.outcome.isReached,
                problem: run.outcome.isReached ? nil : run.outcome.problem(exit: run.goal.exit))
        }
        for (goal, why) in discarded where seen.insert(goal.name).inserted {
            all.append(.init(name: goal.name, command: goal.command, kind: goal.kind, passed: false, problem: why))
        }
        for entry in draft?.checks ?? [] where seen.insert(entry.value.name).inserted {
            all.append(.init(name: entry.value.name, command: entry.value.command, kind: entry.value.kind, passed: false, problem: "it never ran"))
        }
        if let original, runs.isEmpty {
            for check in try read(original).checks {
                all.append(.init(name: check.name, command: check.run, kind: GoalKinds.kind(of: check.run, output: ""), passed: false, problem: "it never ran"))
            }
        }
        let blocking = verdict == .green ? [] : remaining(verdict)
        let whole = seconds / .seconds(1)
        let commands = min(whole, spent / .seconds(1))
        let index = indexing / .seconds(1)
        return HealingReport(
            result: verdict, goals: all, tests: tests, rounds: rounds, seconds: Self.rounded(whole), commandSeconds: Self.rounded(commands),
            indexSeconds: Self.rounded(index), ownSeconds: Self.rounded(max(0, whole - commands - index)), saved: try saved(), blockers: blocking,
            failures: failures(), model: model, proven: isProven,
            changes: fixes.map { .init(round: $0.round, reason: $0.why, patches: $0.remedy?.patches ?? [], targets: $0.targets.map(\.name)) },
            quarantine: quarantined, notes: notes, diff: UnifiedDiff.text(original, text, name: Recipe.fileName), recipe: text)
    }

    private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }

    private func failures() -> [HealingReport.Output] {
        lastFailures.sorted { $0.key < $1.key }.map { name, failure in
            let lines = OutputText.shown(failure.output, last: HealingReport.Output.limit)
            return .init(name: name, exit: failure.exitCode, lines: lines)
        }
    }

    private func tests() -> HealingReport.Tests {
        let counted = runs.values.filter { $0.goal.kind == .test }.compactMap { run in run.summary.map { (run, $0) } }
        let best = counted.max { a, b in
            (a.0.outcome.isReached ? 1 : 0, a.1.ran, b.0.goal.name) < (b.0.outcome.isReached ? 1 : 0, b.1.ran, a.0.goal.name)
        }
        guard let (run, summary) = best else { return .init() }
        let aside = quarantined.isEmpty ? 0 : quarantined.count
        return .init(command: run.goal.command, ran: summary.ran, passed: summary.passed, failed: summary.failed, quarantined: aside)
    }

    /// What is honest to say.
    private func verdict() -> HealingReport.Verdict {
        let reached = runs.values.filter(\.outcome.isReached)
        let tests = runs.values.filter { $0.goal.kind == .test }
        if original != nil {
            // The owner's checks say what works means; those that are tests were counted.
            if broken == nil, !runs.isEmpty, runs.values.allSatisfy(\.outcome.isReached), fixes.isEmpty || isProven { return .green }
        } else if isProven, isGreen(tests) {
            return .green
        }
        let haveRun = tests.contains { ($0.summary?.ran ?? 0) > 0 }
        if haveRun { return .partial }
        if reached.isEmpty { return .blocked }
        return !named.isEmpty && (!tests.isEmpty || original != nil) ? .blocked : .partial
    }

    /// Tests passed, and none of the same folder failed that are more than those.
    private func isGreen(_ tests: [GoalRunner.Run]) -> Bool {
        let folders = Dictionary(grouping: tests) { Self.folder(of: $0.goal) }
        let isEach = folders.values.allSatisfy { runs in
            let best = runs.filter(\.outcome.isReached).compactMap { $0.summary?.ran }.max() ?? 0
            let worst = runs.filter { !$0.outcome.isReached }.compactMap { $0.summary?.ran }.max() ?? 0
            // Those that were left out by name fail in any other way to run them too.
            return best > 0 && worst <= best + quarantined.count
        }
        return !tests.isEmpty && isEach
    }

    /// What diagnosers found missing at the end, and no recipe can have.
    private var named: [Blocker] {
        let failing = failing
        let names = Set(failing.map(\.target))
        // Of a step that was left out only what others have to do counts.
        let dropped = Set(droppedSteps.map(\.step.value.name))
        let wanted = failing.contains { $0.run?.goal.kind == .test } || original != nil
        return blockers.filter { item in
            if item.target == .step("secrets") || dropped.contains(item.target.name) { return true }
            guard names.contains(item.target) else { return false }
            // What a linter lacks blocks nobody.
            guard wanted, case .check(let name) = item.target, original == nil else { return true }
            return runs[name]?.goal.kind == .test
        }.map(\.blocker)
    }

    /// Blockers of what does not work at the end, and at least one where nothing works.
    private func remaining(_ verdict: HealingReport.Verdict) -> [Blocker] {
        var found = named
        let failing = failing
        if found.isEmpty {
            // Tests that fail with everything there are those who wrote them to mend.
            let tests = failing.filter { if case .testsFailed? = $0.run?.outcome { true } else { false } }.flatMap(\.lacks).filter { $0.kind == .failingTest }
            found = tests.prefix(5).map { Blocker($0, "the test fails with everything present: mend or skip it", .upstream) }
        }
        let first = failing.first { $0.run?.goal.kind == .test } ?? failing.first
        if let late = lateness() { found.append(late) }
        if found.isEmpty {
            if let first {
                let last = first.failure.output.split(separator: "\n").last.map(String.init) ?? "it printed nothing"
                let isLate = first.failure.exitCode == 124
                found = [
                    isLate
                        ? Blocker(
                            "time", first.target.name, "it ran \(Self.rounded((first.run?.duration ?? .zero) / .seconds(1))) s, and said last: \(last)",
                            "raise its `timeout` and --budget, or find what it waits for", .repositoryOwner)
                        : first.run?.outcome == .nothingRan
                            ? Blocker("tests", first.target.name, last, "name a runner that says how many tests ran: none may have", .repositoryOwner)
                            : Blocker(
                                "unknown", first.target.name, last, "nothing that is known says what it lacks: look into it with `terrine run`",
                                .repositoryOwner)
                ]
            } else if runs.isEmpty, draft?.checks.isEmpty ?? false {
                let fix = "write `checks:` into a recipe, or tests into the repository"
                found = [Blocker("tests", "checks", "nothing in the repository says what ought to work", fix, .repositoryOwner)]
            } else if !runs.values.contains(where: { $0.goal.kind == .test }) {
                let fix = "write a check with the command that runs the tests into a recipe"
                found = [Blocker("tests", "checks", "nothing in the repository says how its tests are run", fix, .repositoryOwner)]
            } else {
                found = [Blocker("proof", "recipe", notes.last ?? "it was not proven", "run autoinstall again with a larger --budget", .repositoryOwner)]
            }
        }
        return found
    }

    /// That the time was over, and in what.
    private func lateness() -> Blocker? {
        guard ContinuousClock.now >= deadline else { return nil }
        let budget = options.budget.formatted(.units(allowed: [.minutes, .seconds], width: .narrow))
        guard let interrupted else {
            if let late = failing.first(where: { $0.failure.exitCode == 124 }) {
                let seconds = Self.rounded((late.run?.duration ?? .zero) / .seconds(1))
                let fix = "give it a --budget of more than \(budget), or find what it waits for"
                return Blocker("time", late.target.name, "it had run \(seconds) s when \(budget) were over: \(late.failure.lastLine)", fix, .repositoryOwner)
            }
            return Blocker(
                "time", "budget", runs.isEmpty ? "\(budget) were over before a goal began" : "nothing of \(budget) was left for the proof",
                "run it again with a --budget of more than \(budget)", .repositoryOwner)
        }
        let fix = "give it a --budget of more than \(budget), or find what the \(interrupted.phase.rawValue) waits for"
        return Blocker("time", "\(interrupted.phase.rawValue) \(interrupted.name)", "\(budget) were over in the \(interrupted)", fix, .repositoryOwner)
    }

    private func saved() throws -> HealingReport.Saved {
        var saved = HealingReport.Saved()
        guard let lastAttempt, let firstCached, !firstCached.isEmpty else { return saved }
        for ancestor in try workbench.images.history(lastAttempt.image) where ancestor.cacheKey.map(firstCached.contains) == true {
            saved.bytes += ancestor.addedBytes
            saved.seconds += Double(ancestor.milliseconds ?? 0) / 1000
        }
        return saved
    }
}

extension Goal.Kind {
    /// Tests first.
    fileprivate var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
