import ChunkStore
import Images
import Linux
import Recipes

/// Runs a recipe's checks in a machine that is thrown away, services running.
///
/// What an image passed once is not checked again: the checks and the image are a cache key too.
public struct CheckRunner: Sendable {
    /// A check that did not go as it should.
    public struct Failure: Sendable, Equatable {
        public let name: String
        public let message: String
        /// What it printed last.
        public let cause: String
    }

    let images: ImageStore
    let host: any StepHost
    let reporter: any BuildReporter
    let cancellation: Cancellation

    /// Runs all of them, also after one that fails.
    func run(_ image: Image, _ plan: Plan) throws -> [Failure] {
        let key = Self.key(image, plan.recipe)
        if try images.cached(key) != nil { return [] }
        let flight = try images.flight(key, cancellation) { reporter.report(.note("another build checks this image, waiting")) }
        defer { withExtendedLifetime(flight) {} }
        if try images.cached(key) != nil { return [] }
        let failures = try host.checking("checks", of: image, plan.recipe, cancellation, reporter) { machine in
            try plan.recipe.checks.compactMap { try run($0, image, plan, machine) }
        }
        if failures.isEmpty { try images.cache(key, image: image, recipe: plan.recordName, step: "checks", record: ["checks": key]) }
        return failures
    }

    static func key(_ image: Image, _ recipe: Recipe) -> String {
        let checks = recipe.checks.map { check in
            let env = check.env.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let parts = [check.name, check.run, String(check.exit), check.outputContains.joined(separator: "\u{1}"), check.user ?? recipe.user]
            return (parts + env).joined(separator: "\u{0}")
        }
        return Digest.of(text: (["checks", image.digest.hex] + checks).joined(separator: "\u{2}")).hex
    }

    private func run(_ check: Recipe.Check, _ image: Image, _ plan: Plan, _ machine: any StepMachine) throws -> Failure? {
        let start = ContinuousClock.now
        reporter.report(.checkStarted(name: check.name))
        let reporter = reporter
        let reader = try OutputReader(tail: 40, text: 16 << 20) { reporter.report(.checkOutput(name: check.name, line: $0)) }
        let exit: StepExit
        do {
            defer { reader.finish() }
            exit = try machine.run(
                StepCommand(
                    arguments: ["/bin/sh", "-e", "-c", check.run], environment: image.environment.merging(check.env) { $1 },
                    user: check.user ?? plan.recipe.user,
                    workingFolder: plan.recipe.workspace.path, timeout: check.timeout ?? plan.recipe.timeout, output: reader.input))
        }
        try cancellation.check()
        let problem = problem(check, exit, reader.text)
        reporter.report(.checkFinished(name: check.name, problem: problem, milliseconds: (ContinuousClock.now - start).milliseconds))
        return problem.map { Failure(name: check.name, message: "the check `\(check.name)` \($0)", cause: reader.lastLines.suffix(20).joined(separator: "\n")) }
    }

    private func problem(_ check: Recipe.Check, _ exit: StepExit, _ output: String) -> String? {
        guard case .ended(let status) = exit else { return "ran longer than its timeout" }
        if status.code != check.exit { return "ended with \(status.code), not \(check.exit)" }
        if let missing = check.outputContains.first(where: { !output.contains($0) }) { return "did not print `\(missing)`" }
        return nil
    }
}
