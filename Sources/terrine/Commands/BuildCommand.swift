import ArgumentParser
import Builder
import Foundation
import Images
import Linux
import Machines
import Recipes

struct Build: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Make an image of a recipe.",
        discussion:
            "Steps that have been made before are taken from the cache; `terrine plan` tells which. A step that fails leaves its disk to `terrine shell --failed`."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var recipe: RecipeOptions

    @Option(name: .shortAndLong, help: ArgumentHelp("The image's name; the recipe's own if you give none.", valueName: "name[:tag]"))
    var tag: String?

    @Flag(help: "Run every step, whatever is cached.")
    var noCache = false

    @OptionGroup var lock: LockOptions

    @Flag(help: "Reach no network: packages and repositories come from the caches, or the build fails.")
    var offline = false

    @Option(
        help: ArgumentHelp(
            "Where a secret of the recipe is: a variable or a file of this host; else the variable of its name.", valueName: "name=env:var|file:path"))
    var secret: [String] = []

    @Flag(help: "Build although the base is foreign: the host's kernel then mounts what a stranger wrote.")
    var trust = false

    @Flag(help: "Rewrite the image into one layer at the end, the same bytes on any host: the form to ship.")
    var flatten = false

    @Flag(help: "Do nothing when neither the recipe nor its inputs nor its base changed since the image of this name was built.")
    var ifChanged = false

    @OptionGroup var caches: CacheOptions

    @Option(help: "How progress is shown: a tree on a terminal, else lines.")
    var progress: ProgressStyle?

    @Option(name: .shortAndLong, help: ArgumentHelp("How many images are built at a time; as many as there are cores if you say nothing.", valueName: "count"))
    var jobs: Int?

    enum ProgressStyle: String, ExpressibleByArgument, CaseIterable { case tree, plain, json, none }

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs): at least one image is built at a time") }
        if ifChanged, noCache || !lock.update.isEmpty {
            throw ValidationError("--if-changed is for builds that may have nothing to do; --no-cache and --update always have")
        }
        if offline, !(caches.cacheFrom + caches.cacheTo).isEmpty {
            throw ValidationError("--offline reaches no network, and --cache-from and --cache-to are reached through one")
        }
    }

    func run() throws {
        let images = try global.images()
        let recipes = try recipe.load(global)
        let opened = try caches.open(images)
        let configure: @Sendable (inout PlanRunner.Options) -> Void = { [tag, noCache, offline, flatten, trust, caches] options in
            (options.reference, options.ignoresCache, options.isOffline, options.flattens) = (tag, noCache, offline, flatten)
            (options.trustsBase, options.signingKey) = (trust, caches.sign)
            opened.configure(&options)
        }
        let looks = try ifChanged ? recipes.map { try look($0, images) } : recipes.map { _ in (unchanged: nil, reason: nil) }
        if !recipe.areMany(recipes), let only = recipes.first {
            if let unchanged = looks[0].unchanged { return try global.print(unchanged) { unchanged.line } }
            let reporter = RecipeBuild.reporter(progress, global, showsCached: true)
            var result = BuiltImage(try RecipeBuild.run(only, images: images, global: global, reporter: reporter, lock: lock, secrets: secret, configure))
            if ifChanged { (result.unchanged, result.reason) = (false, looks[0].reason) }
            return try global.print(result) { result.line }
        }
        if tag != nil, recipes.count > 1 {
            throw ValidationError("--tag names one image, and these are \(recipes.count): \(recipes.map(\.name).joined(separator: ", "))")
        }
        let changed = recipes.indices.filter { looks[$0].unchanged == nil }
        let built = try RecipeBuild.runAll(
            changed.map { recipes[$0] }, images: images, global: global, style: progress, jobs: jobs, lock: lock, secrets: secret, configure)
        var results = looks.compactMap(\.unchanged)
        for (index, result) in zip(changed, built) {
            var result = result
            if ifChanged { (result.unchanged, result.reason) = (false, looks[index].reason) }
            results.insert(result, at: index)
        }
        try global.print(["images": results]) { results.map(\.line).joined(separator: "\n") }
        let failed = results.filter { $0.error != nil }
        if failed.isEmpty { return }
        global.note("\(failed.count) of \(results.count) images could not be built: \(failed.map(\.image).joined(separator: ", "))")
        throw ExitCode(failed.contains { $0.error?.code == "cancelled" } ? 130 : 1)
    }

    /// The image that is there if nothing changed, or why it is not what a build would make.
    private func look(_ recipe: Recipe, _ images: ImageStore) throws -> (unchanged: BuiltImage?, reason: String?) {
        let record = try BuildRecord(lock.plan(recipe, global), reference: tag, flattens: flatten, images: images)
        switch try record.change() {
        case .none(let image): return (BuiltImage(unchanged: image, as: record.reference, of: recipe), nil)
        case .some(let reason):
            global.note("building \(record.reference): \(reason)")
            return (nil, reason)
        }
    }
}

/// What became of one image, for programs and for people.
struct BuiltImage: Encodable {
    struct Step: Encodable {
        var name: String
        var key: String
        var cached: Bool
        var reason: String?
        var milliseconds: Int
    }
    /// With its tag; the recipe's name when it failed.
    var image: String
    var digest: String?
    var steps: [Step]?
    var milliseconds: Int?
    /// From --cache-from.
    var fetchedBytes: Int64?
    /// What makes it one of a matrix.
    var values: [String: String]?
    var error: ErrorReport.Parts?
    /// With `--if-changed`.
    var unchanged: Bool?
    /// Why it was built, with `--if-changed`.
    var reason: String?

    init(unchanged image: Image, as reference: String, of recipe: Recipe) {
        (self.image, digest, steps, milliseconds, unchanged) = (reference, image.digest.description, [], 0, true)
        values = recipe.cell.isEmpty ? nil : recipe.cell
    }

    init(_ result: BuildResult, values: [String: String]? = nil) {
        (image, digest, milliseconds, self.values) = (result.reference, result.image.digest.description, result.duration.milliseconds, values)
        fetchedBytes = result.fetchedBytes
        steps = result.steps.map { Step(name: $0.name, key: $0.key, cached: $0.isCached, reason: $0.reason, milliseconds: $0.duration.milliseconds) }
    }

    init(_ recipe: Recipe, _ error: any Error) {
        (image, values, self.error) = (recipe.name, recipe.cell.isEmpty ? nil : recipe.cell, ErrorReport.parts(of: error))
    }

    var line: String {
        if let digest, unchanged == true { return "\(image) \(digest) (unchanged)" }
        guard let digest, let steps, let milliseconds else { return "\(image) failed: \(error?.message ?? "")" }
        let cached = steps.filter(\.cached).count
        let count = cached == steps.count ? "every step cached" : "\(cached) of \(steps.count) steps cached"
        let fetched = (fetchedBytes ?? 0) > 0 ? ", fetched \(bytesText(fetchedBytes ?? 0))" : ""
        return "\(image) \(digest) (\(count)\(fetched), \(milliseconds) ms)"
    }
}

/// A build with its progress shown and Ctrl-C understood.
enum RecipeBuild {
    /// Builds several side by side; one that fails does not stop the others.
    static func runAll(
        _ recipes: [Recipe], images: ImageStore, global: GlobalOptions, style: Build.ProgressStyle?, jobs: Int?, lock: LockOptions, secrets: [String],
        _ configure: @escaping @Sendable (inout PlanRunner.Options) -> Void
    ) throws -> [BuiltImage] {
        let (cancellation, interruption) = interruptible()
        defer { interruption.end() }
        var common = PlanRunner.Options()
        configure(&common)
        let builds = try RecipeBuilds(
            recipes, images: images, global: global, lock: lock, secrets: secrets, trustsBase: common.trustsBase, cancellation: cancellation)
        let style = severalStyle(style, global)
        let queue = SideBySide<BuildResult>(recipes.count) { index, all in
            let reporter = reporter(style, global, showsCached: false, image: recipes[index].name)
            return try builds.run(index, among: all, reporter: reporter, configure)
        }
        let results = queue.run(width: jobs ?? ProcessInfo.processInfo.activeProcessorCount)
        return zip(recipes, results).map { recipe, result in
            switch result {
            case .success(let built): return BuiltImage(built, values: recipe.cell.isEmpty ? nil : recipe.cell)
            case .failure(let error):
                if !global.json { FileHandle.standardError.write(Data(ErrorReport.text(of: error, image: recipe.name).utf8)) }
                return BuiltImage(recipe, error)
            }
        }
    }

    /// What Ctrl-C stops.
    static func interruptible() -> (Cancellation, Interruption) {
        let cancellation = Cancellation()
        let interruption = Interruption {
            // A second one does not wait for anything; machines of a build go with its process.
            if cancellation.isCancelled || !cancellation.cancel() { exit(130) }
        }
        return (cancellation, interruption)
    }

    static func run(
        _ recipe: Recipe, images: ImageStore, global: GlobalOptions, reporter: (any BuildReporter)? = nil, lock: LockOptions = .default,
        secrets: [String] = [], _ configure: (inout PlanRunner.Options) -> Void = { _ in }
    ) throws -> BuildResult {
        let (cancellation, interruption) = interruptible()
        defer { interruption.end() }
        var options = PlanRunner.Options()
        configure(&options)
        let builds = try RecipeBuilds(
            [recipe], images: images, global: global, lock: lock, secrets: secrets, trustsBase: options.trustsBase, cancellation: cancellation)
        return try builds.run(0, reporter: reporter ?? Self.reporter(nil, global, showsCached: false), configure)
    }

    /// What is drawn over itself is for one build: several tell lines, each with its image.
    static func severalStyle(_ style: Build.ProgressStyle?, _ global: GlobalOptions) -> Build.ProgressStyle? {
        style == .tree || style == nil ? (global.quiet ? Build.ProgressStyle.none : .plain) : style
    }

    /// - Parameters:
    ///   - showsCached: whether steps are told that take nothing to make; for a command that is there to build.
    ///   - image: which one this is, when several are built side by side.
    static func reporter(_ style: Build.ProgressStyle?, _ global: GlobalOptions, showsCached: Bool, image: String? = nil) -> any BuildReporter {
        switch style ?? (global.quiet ? .none : isatty(2) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" ? .tree : .plain) {
        case .tree: TreeProgress()
        case .plain: PlainProgress(showsCached: showsCached) { line in standardErrorLine(image.map { "\($0) | \(line)" } ?? line) }
        case .json: JSONProgress(image: image)
        case .none: SilentReporter()
        }
    }
}

/// Calls a function when this process is interrupted, in place of ending it.
final class Interruption {
    private let sources: [any DispatchSourceSignal]

    init(_ body: @escaping @Sendable () -> Void) {
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInitiated))
            source.setEventHandler(handler: DispatchWorkItem { body() })
            source.resume()
            return source
        }
    }

    func end() {
        for source in sources { source.cancel() }
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    }
}
