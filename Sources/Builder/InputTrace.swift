import Foundation
import Glibc
import Images
import Linux
import Recipes

/// Runs the steps of a recipe with the whole workspace at hand, and sees which of its files they open that they do not declare.
///
/// Each step runs on the image before it, which must have been built, in a machine that is thrown away. The host's kernel tells the opens
/// (``OpenWatch``), so nothing of it is in the machine, and no program is too clever for it.
public struct InputTrace: Sendable {
    /// A file that a step opened and does not declare.
    public struct Undeclared: Sendable, Equatable {
        /// The step's place among the recipe's steps.
        public let step: Int
        /// From the workspace's root.
        public let path: String
    }

    let images: ImageStore
    let host: any StepHost
    let reporter: any BuildReporter
    let cancellation: Cancellation

    public init(images: ImageStore, host: any StepHost, reporter: any BuildReporter, cancellation: Cancellation = Cancellation()) {
        (self.images, self.host, self.reporter, self.cancellation) = (images, host, reporter, cancellation)
    }

    /// - Returns: in the order of steps and paths. A step that fails is told as a note: what it opened until then counts.
    /// - Throws: ``BuildError`` `notBuilt` when a step before one that is to be traced is not in the cache.
    public func run(_ plan: Plan) throws -> [Undeclared] {
        guard geteuid() == 0 else {
            throw BuildError(
                "permission", "steps can be traced by root alone: the kernel tells no one else which files of a machine are opened", fix: "run it as root")
        }
        guard case .ready(let base, _) = try BaseBuilder(images: images).state(of: plan) else { throw notBuilt(plan) }
        reporter.report(.planned(recipe: plan.recipe.name, steps: plan.steps.map(\.name)))
        var (parent, found) = (base, [Undeclared]())
        var number = 0
        let everything = plan.steps.last?.inputs ?? []
        for (index, step) in plan.steps.enumerated().dropFirst() {
            try cancellation.check()
            let key = StepKey(step, of: plan, parentLayers: parent.layers.map(\.description), baseEnvironment: base.environment)
            if step.kind == .run {
                // One without `inputs` has every file as its input.
                if plan.recipe.steps[number].inputs != nil {
                    reporter.report(.started(step: index, reason: "to see what it reads"))
                    let start = ContinuousClock.now
                    let paths = try trace(step, index, key.environment, parent, plan, everything)
                    let declared = Set(step.inputs.map(\.path))
                    found += paths.subtracting(declared).sorted().map { Undeclared(step: number, path: $0) }
                    reporter.report(.finished(step: index, milliseconds: (ContinuousClock.now - start).milliseconds, bytes: nil))
                }
                number += 1
                if number == plan.recipe.steps.count { break }
            }
            guard let image = try images.cached(key.key) else { throw notBuilt(plan) }
            parent = image
        }
        return found
    }

    private func notBuilt(_ plan: Plan) -> BuildError {
        BuildError("notBuilt", "\(plan.recipe.name) is not built, so its steps have nothing to run on", fix: "build it first: `terrine build`")
    }

    /// The files of the workspace that the step opens.
    private func trace(_ step: PlanStep, _ index: Int, _ environment: [String: String], _ parent: Image, _ plan: Plan, _ everything: [InputFile]) throws -> Set<
        String
    > {
        var request = StepMachineRequest(image: parent, network: step.network)
        request.cpus = plan.recipe.resources.cpus
        request.memory = plan.recipe.resources.memory
        request.binds = try CacheFolders(home: images.home).binds(step.caches, of: plan.recipe)
        let machine = try host.start(request)
        do {
            // A machine that cannot be removed now goes with this process.
            let paths = try cancellation.guarding({ try? machine.remove() }) {
                let root = try machine.root
                let owner = try MachineUsers.find(step.user, in: root) ?? .root
                let placement = InputPlacement(root: root, owner: owner)
                try placement.makeFolders(step.workingFolder)
                try placement.place(everything)
                let watch = try OpenWatch(root.descriptor, subject: "the machine of step \(step.name)")
                let exit = Result { try execute(step, index, environment, machine) }
                let opened = watch.finish()
                if try exit.get() != .ended(.exited(0)) { reporter.report(.note("the step `\(step.name)` failed: what it opened until then counts")) }
                let known = Set(everything.map(\.path))
                let prefix = step.workingFolder + "/"
                return Set(opened.compactMap { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }.filter(known.contains))
            }
            try machine.remove()
            return paths
        } catch {
            do { try machine.remove() } catch let second { reporter.report(.note("the machine of step \(step.name) could not be removed: \(second)")) }
            throw error
        }
    }

    private func execute(_ step: PlanStep, _ index: Int, _ environment: [String: String], _ machine: any StepMachine) throws -> StepExit {
        guard let command = step.command else { return .ended(.exited(0)) }
        let reporter = reporter
        let reader = try OutputReader { reporter.report(.output(step: index, line: $0)) }
        defer { reader.finish() }
        return try machine.run(
            StepCommand(
                arguments: command, environment: environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { own, _ in own }, user: step.user,
                workingFolder: step.workingFolder, timeout: step.timeout, output: reader.input))
    }
}
