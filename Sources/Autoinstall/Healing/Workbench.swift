import Builder
import ChunkStore
import Images
import Machines
import Recipes

/// Builds a recipe and runs its goals, as often as the loop wants; everything of the repository runs in machines.
public struct Workbench: Sendable {
    let images: ImageStore
    let host: any StepHost
    let reporter: any BuildReporter
    let cancellation: Cancellation
    let plan: @Sendable (Recipe) throws -> Plan
    let secrets: @Sendable (Recipe) throws -> BuildSecrets

    /// - Parameters:
    ///   - plan: what a build of the recipe would do; a lock counts as in a build.
    ///   - secrets: what the recipe's steps get; throws ``BuildError`` `missingSecret`.
    public init(
        images: ImageStore, host: any StepHost, reporter: any BuildReporter, cancellation: Cancellation,
        plan: @escaping @Sendable (Recipe) throws -> Plan, secrets: @escaping @Sendable (Recipe) throws -> BuildSecrets
    ) {
        (self.images, self.host, self.reporter, self.cancellation) = (images, LimitedHost(host), reporter, cancellation)
        (self.plan, self.secrets) = (plan, secrets)
    }

    /// A build that ended before there was an image, or a service that did not start.
    struct Broken: Sendable {
        let target: Fix.Target
        /// `packages.apt`, `steps.compile`; empty for a service.
        let id: String
        let command: String
        let exit: Int32
        let output: String
    }

    struct Attempt: Sendable {
        var broken: Broken?
        /// In the recipe's order.
        var runs: [GoalRunner.Run] = []
        var image: Image?
        var cachedKeys: Set<String> = []
        var builtSteps = 0
    }

    /// - Parameters:
    ///   - goals: what is known of checks as goals, by name.
    ///   - skipping: checks that need not run.
    ///   - fromClean: every step runs, whatever is cached.
    ///   - startsNear: whether packages may go on from another recipe's layer.
    ///   - limit: how long one goal may take, whatever its check says.
    ///   - meter: gets what package managers, steps and goals took, also when this throws, and then what was running.
    func attempt(
        _ recipe: Recipe, goals: [String: Goal], skipping: Set<String> = [], fromClean: Bool = false, startsNear: Bool = false,
        deadline: ContinuousClock.Instant, limit: Duration? = nil, meter: inout Meter,
        isNeedless: (Goal, [GoalRunner.Run]) -> Bool = { _, _ in false }
    ) throws -> Attempt {
        var attempt = Attempt()
        let journal = StepJournal(reporter)
        var inGoals = Duration.zero
        meter.interrupted = nil
        var hasEnded = false
        defer {
            if !hasEnded { meter.interrupted = journal.running }
            meter.spent += journal.spent + inGoals
        }
        var options = PlanRunner.Options()
        options.ignoresCache = fromClean
        options.startsNear = startsNear && !fromClean
        options.secrets = try secrets(recipe)
        let plan = try plan(recipe)
        let image: Image
        do {
            let made = try PlanRunner(images: images, host: host, reporter: journal, cancellation: cancellation).image(of: plan, options: options)
            image = made.image
            attempt.cachedKeys = Set(made.steps.filter(\.isCached).map(\.key))
            // It was made once, for somebody else.
            if let key = made.near?.image.cacheKey { attempt.cachedKeys.insert(key) }
            attempt.builtSteps = made.steps.count { !$0.isCached }
        } catch let error as BuildError where error.code == "stepFailed" {
            attempt.broken = try broken(error, journal, plan)
            hasEnded = true
            return attempt
        }
        attempt.image = image
        let runner = runner(deadline, limit, journal)
        let checks = recipe.checks.filter { !skipping.contains($0.name) }.map { (check: $0, goal: goals[$0.name]) }
        let began = ContinuousClock.now
        do {
            attempt.runs = try runner.run(checks, image, recipe, isNeedless: isNeedless)
        } catch let error as MachineError where error.code == "serviceFailed" {
            attempt.broken = broken(error, recipe)
        } catch {
            inGoals = ContinuousClock.now - began
            throw error
        }
        inGoals = attempt.runs.reduce(.zero) { $0 + $1.duration }
        hasEnded = true
        return attempt
    }

    /// - Parameters:
    ///   - limit: how long one goal may take, whatever its check says.
    ///   - journal: is told of the goals, if not the reporter itself.
    func runner(_ deadline: ContinuousClock.Instant, _ limit: Duration?, _ journal: StepJournal? = nil) -> GoalRunner {
        GoalRunner(host: host, reporter: journal ?? reporter, cancellation: cancellation, deadline: deadline, limit: limit)
    }

    private func broken(_ error: BuildError, _ journal: StepJournal, _ plan: Plan) throws -> Broken {
        guard let failure = journal.failure, plan.steps.indices.contains(failure.step) else { throw error }
        let step = plan.steps[failure.step]
        let code = try FailedSteps(images: images).latest(plan.recipe.folder)?.step.exitCode
        return Broken(
            target: .step(step.name), id: step.id, command: step.script ?? step.name, exit: code ?? 124,
            output: failure.output.isEmpty ? error.cause ?? "" : failure.output)
    }

    private func broken(_ error: MachineError, _ recipe: Recipe) -> Broken {
        let service = recipe.services.first { error.message.contains("`\($0.name)`") } ?? recipe.services.first
        return Broken(
            target: .service(service?.name ?? "service"), id: "", command: service?.run ?? "", exit: 1, output: "\(error.message)\n\(error.cause ?? "")")
    }
}
