import Builder
import Images
import Linux
import Recipes

/// Runs goals in a machine that is thrown away, services running: a stranger's code under the limits of its host.
struct GoalRunner {
    let host: any StepHost
    let reporter: any BuildReporter
    let cancellation: Cancellation
    let deadline: ContinuousClock.Instant
    /// Of one goal, whatever its check says.
    var limit: Duration?

    struct Run: Sendable {
        let goal: Goal
        /// 124 when it ran out of time.
        let exit: Int32
        let output: String
        let outcome: Goal.Outcome
        let duration: Duration

        var summary: TestSummary? {
            switch outcome {
            case .reached(let summary): summary
            case .testsFailed(let summary): summary
            default: goal.kind == .test ? TestSummary.parse(output, runner: goal.runner) : nil
            }
        }
    }

    /// - Parameters:
    ///   - checks: of the recipe, with what is known of them as goals; what is nil is told by what it prints.
    ///   - isNeedless: whether what was reached so far makes a goal needless.
    /// - Throws: ``MachineError`` when a service does not start, among others.
    func run(_ checks: [(check: Recipe.Check, goal: Goal?)], _ image: Image, _ recipe: Recipe, isNeedless: (Goal, [Run]) -> Bool = { _, _ in false }) throws
        -> [Run]
    {
        if checks.isEmpty { return [] }
        return try host.checking("goals", of: image, recipe, cancellation, reporter) { machine in
            var runs: [Run] = []
            for (check, goal) in checks {
                if let goal, isNeedless(goal, runs) { continue }
                runs.append(try run(check, goal, image, recipe, machine))
            }
            return runs
        }
    }

    /// Runs one goal after a script that changes the machine, as root in the workspace.
    ///
    /// - Returns: nil when the script failed.
    func run(_ check: Recipe.Check, _ goal: Goal?, after script: String, _ image: Image, _ recipe: Recipe) throws -> Run? {
        try host.checking("trial", of: image, recipe, cancellation, reporter) { machine in
            try prepare(machine, script, image, recipe) ? run(check, goal, image, recipe, machine) : nil
        }
    }

    /// Runs one goal under strace(1), which is installed into the machine if need be.
    ///
    /// - Returns: also what was looked for in vain; nil when it cannot be traced.
    func trace(_ check: Recipe.Check, _ goal: Goal?, _ image: Image, _ recipe: Recipe) throws -> (run: Run, record: TraceRecord)? {
        try host.checking("trace", of: image, recipe, cancellation, reporter) { machine in
            // The goal's user may not be root.
            let folder = "/var/tmp/terrine-trace"
            let install = LiveScript.text(.package(manager: "apt", name: "strace")) ?? "exit 1"
            let script = "command -v strace >/dev/null || { \(install)\n}\nmkdir -m 1777 \(folder)"
            guard try prepare(machine, script, image, recipe) else { return nil }
            let calls = "execve,execveat,open,openat,stat,lstat,newfstatat,statx,access,faccessat,faccessat2"
            let command = "strace -f -qq -s 4096 -e trace=\(calls) -e signal=none -o \(folder)/calls /bin/sh -e -c \(ShellQuote.word(check.run))"
            let run = try run(check, goal, image, recipe, machine, command: command)
            let record = try machine.root.read(folder + "/calls")
            return (run, TraceRecord(strace: String(decoding: record, as: UTF8.self)))
        }
    }

    /// - Returns: whether the script ended well.
    private func prepare(_ machine: any StepMachine, _ script: String, _ image: Image, _ recipe: Recipe) throws -> Bool {
        let reader = try OutputReader(tail: 1) { _ in }
        defer { reader.finish() }
        let exit = try machine.run(
            StepCommand(
                arguments: ["/bin/sh", "-e", "-c", script], environment: image.environment, user: "root", workingFolder: recipe.workspace.path,
                timeout: max(deadline - .now, .seconds(1)), output: reader.input))
        return exit == .ended(.exited(0))
    }

    private func run(
        _ check: Recipe.Check, _ known: Goal?, _ image: Image, _ recipe: Recipe, _ machine: any StepMachine, command: String? = nil
    ) throws -> Run {
        let start = ContinuousClock.now
        reporter.report(.checkStarted(name: check.name))
        let reporter = reporter
        let reader = try OutputReader(tail: 4000, text: 8 << 20) { reporter.report(.checkOutput(name: check.name, line: $0)) }
        let left = max(min(deadline - start, limit ?? deadline - start), .seconds(1))
        let exit: StepExit
        do {
            defer { reader.finish() }
            exit = try machine.run(
                StepCommand(
                    arguments: ["/bin/sh", "-e", "-c", command ?? check.run], environment: image.environment.merging(check.env) { $1 },
                    user: check.user ?? recipe.user, workingFolder: recipe.workspace.path,
                    timeout: min(check.timeout ?? recipe.timeout ?? .seconds(1800), left),
                    output: reader.input))
        }
        let code: Int32 = if case .ended(let status) = exit { status.code } else { 124 }
        var output = reader.text
        // Of more than is kept the end is what tells most.
        if output.utf8.count >= 8 << 20 { output += "\n" + reader.lastLines.joined(separator: "\n") }
        let goal = known ?? GoalKinds.goal(check, output: output)
        var outcome = goal.judge(exit: code, output: output)
        if outcome.isReached, let missing = check.outputContains.first(where: { !output.contains($0) }) { outcome = .outputWithout(missing) }
        let duration = ContinuousClock.now - start
        reporter.report(
            .checkFinished(name: check.name, problem: outcome.isReached ? nil : outcome.problem(exit: check.exit), milliseconds: duration.milliseconds))
        return Run(goal: goal, exit: code, output: output, outcome: outcome, duration: duration)
    }
}

extension Goal.Outcome {
    /// What is wrong, for a person; empty when nothing is.
    func problem(exit wanted: Int32) -> String {
        switch self {
        case .reached: ""
        case .wrongExit(124): "ran longer than its timeout"
        case .wrongExit(let code): "ended with \(code), not \(wanted)"
        case .outputWithout(let text): "did not print `\(text)`"
        case .nothingRan: "ended well, but nothing says that a test ran"
        case .testsFailed(let summary): "\(summary.failed) of \(summary.ran) tests failed"
        }
    }
}
