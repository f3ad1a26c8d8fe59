import Builder
import Images
import Machines
import Recipes

/// The builds of one command: of one recipe, or of several side by side, with what they have in common.
struct RecipeBuilds: Sendable {
    private let recipes: [Recipe]
    private let images: ImageStore
    private let global: GlobalOptions
    private let lock: LockOptions
    private let secrets: [String]
    private let host: SandboxStepHost
    private let cancellation: Cancellation
    private let locks: SharedLocks

    init(
        _ recipes: [Recipe], images: ImageStore, global: GlobalOptions, lock: LockOptions, secrets: [String], trustsBase: Bool, cancellation: Cancellation
    ) throws {
        (self.recipes, self.images, self.global, self.lock, self.secrets) = (recipes, images, global, lock, secrets)
        host = SandboxStepHost(try MachineHost(home: global.homeFolder, images: images), trustsImages: trustsBase)
        (self.cancellation, locks) = (cancellation, SharedLocks(recipes))
    }

    /// Builds one of them, as if it were the only one.
    func run(_ index: Int, reporter: any BuildReporter, _ configure: (inout PlanRunner.Options) -> Void) throws -> BuildResult {
        try run(index, reporter: reporter, configure) { $0 }
    }

    /// Builds one of them in a body of `all`, which has a body for each. A lock that they share is laid into its workspace when it is whole.
    func run<Value: Sendable>(
        _ index: Int, among all: SideBySide<Value>, reporter: any BuildReporter, _ configure: (inout PlanRunner.Options) -> Void
    ) throws -> BuildResult {
        try run(index, reporter: reporter, configure) { locks.whole(index, all, $0) }
    }

    private func run(
        _ index: Int, reporter: any BuildReporter, _ configure: (inout PlanRunner.Options) -> Void,
        sharing: (@escaping SharedLocks.Write) -> SharedLocks.Write
    ) throws -> BuildResult {
        defer { reporter.finish() }
        let recipe = recipes[index]
        var options = PlanRunner.Options()
        options.version = Version.text
        configure(&options)
        // Before anything is asked, built or written.
        options.secrets = try BuildSecrets(for: recipe, sources: secrets, among: recipes)
        let plan = try lock.plan(recipe, global, among: recipes)
        try lock.configure(&options, recipe, plan, global)
        options.writeLock = options.writeLock.map { sharing($0) }
        return try PlanRunner(images: images, host: host, reporter: reporter, cancellation: cancellation).run(plan, options: options)
    }
}
