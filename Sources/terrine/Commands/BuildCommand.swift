import ArgumentParser
import Builder
import Foundation
import Images
import Linux
import Machines
import Recipes
import Remotes

struct Build: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Make an image of a recipe.",
        discussion:
            "Steps that have been made before are taken from the cache; `terrine plan` tells which. A step that fails leaves its disk to `terrine shell --failed`."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var recipe: RecipeOptions
    @OptionGroup var remote: RemoteOptions

    @Option(name: .shortAndLong, help: ArgumentHelp("The image's name; the recipe's own if you give none.", valueName: "name[:tag]"))
    var tag: String?

    @Flag(help: "Run every step, whatever is cached.")
    var noCache = false

    @Flag(help: "Look up again what packages the base is made from.")
    var update = false

    @Option(help: ArgumentHelp("Look there for steps that are not cached here; of what is found, only what is needed is fetched.", valueName: "host/path"))
    var cacheFrom: [String] = []

    @Option(help: ArgumentHelp("Send steps there, for builds elsewhere.", valueName: "host/path"))
    var cacheTo: [String] = []

    @Flag(help: "Trust the steps of --cache-from, wherever they come from.")
    var trustCache = false

    @Option(help: "How progress is shown: a tree on a terminal, else lines.")
    var progress: ProgressStyle?

    @Option(name: .shortAndLong, help: ArgumentHelp("How many images are built at a time; as many as there are cores if you say nothing.", valueName: "count"))
    var jobs: Int?

    enum ProgressStyle: String, ExpressibleByArgument, CaseIterable { case tree, plain, json, none }

    /// Caches elsewhere; what is wrong with one is a warning.
    private func caches(_ names: [String], _ images: ImageStore, reads: Bool) throws -> [StepCache] {
        try names.map { name in
            let place = try Remote(name, home: images.home, plainHTTP: remote.plainHttp, trusted: trustCache)
            return try StepCache(images: images, at: place, reads: reads) {
                if LogLevel.current >= .warning { FileHandle.standardError.write(Data("warning: \($0)\n".utf8)) }
            }
        }
    }

    func validate() throws { if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs): at least one image is built at a time") } }

    func run() throws {
        let images = try global.images()
        let recipes = try recipe.load()
        let (reads, writes) = (try caches(cacheFrom, images, reads: true), try caches(cacheTo, images, reads: false))
        let configure: @Sendable (inout PlanRunner.Options) -> Void = { [tag, noCache, update] options in
            (options.reference, options.ignoresCache, options.updatesBase) = (tag, noCache, update)
            (options.readsCaches, options.writesCaches) = (reads, writes)
        }
        if !recipe.areMany(recipes), let only = recipes.first {
            let reporter = RecipeBuild.reporter(progress, global, showsCached: true)
            let result = BuiltImage(try RecipeBuild.run(only, images: images, global: global, reporter: reporter, configure))
            return try global.print(result) { result.line }
        }
        if tag != nil, recipes.count > 1 {
            throw ValidationError("--tag names one image, and these are \(recipes.count): \(recipes.map(\.name).joined(separator: ", "))")
        }
        let results = try RecipeBuild.runAll(recipes, images: images, global: global, style: progress, jobs: jobs, configure)
        try global.print(["images": results]) { results.map(\.line).joined(separator: "\n") }
        let failed = results.filter { $0.error != nil }
        if failed.isEmpty { return }
        global.note("\(failed.count) of \(results.count) images could not be built: \(failed.map(\.image).joined(separator: ", "))")
        throw ExitCode(failed.contains { $0.error?.code == "cancelled" } ? 130 : 1)
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

    init(_ result: BuildResult, values: [String: String]? = nil) {
        (image, digest, milliseconds, self.values) = (result.reference, result.image.digest.description, result.duration.milliseconds, values)
        fetchedBytes = result.fetchedBytes
        steps = result.steps.map { Step(name: $0.name, key: $0.key, cached: $0.isCached, reason: $0.reason, milliseconds: $0.duration.milliseconds) }
    }

    init(_ recipe: Recipe, _ error: any Error) {
        (image, values, self.error) = (recipe.name, recipe.cell.isEmpty ? nil : recipe.cell, ErrorReport.parts(of: error))
    }

    var line: String {
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
        _ recipes: [Recipe], images: ImageStore, global: GlobalOptions, style: Build.ProgressStyle?, jobs: Int?,
        _ configure: @escaping @Sendable (inout PlanRunner.Options) -> Void
    ) throws -> [BuiltImage] {
        let (cancellation, interruption) = interruptible()
        defer { interruption.end() }
        let host = SandboxStepHost(try MachineHost(home: global.homeFolder, images: images))
        // What is drawn over itself is for one build: several tell lines, each with its image.
        let style = style == .tree || style == nil ? (global.quiet ? Build.ProgressStyle.none : .plain) : style
        let queue = SideBySide(recipes.count) { index in
            let reporter = reporter(style, global, showsCached: false, image: recipes[index].name)
            defer { reporter.finish() }
            var options = PlanRunner.Options()
            options.version = Version.text
            configure(&options)
            let runner = PlanRunner(images: images, host: host, reporter: reporter, cancellation: cancellation)
            return try runner.run(Plan.make(recipes[index]), options: options)
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

    private static func interruptible() -> (Cancellation, Interruption) {
        let cancellation = Cancellation()
        let interruption = Interruption {
            // A second one does not wait for anything; machines of a build go with its process.
            if cancellation.isCancelled || !cancellation.cancel() { exit(130) }
        }
        return (cancellation, interruption)
    }

    static func run(
        _ recipe: Recipe, images: ImageStore, global: GlobalOptions, reporter: (any BuildReporter)? = nil,
        _ configure: (inout PlanRunner.Options) -> Void = { _ in }
    ) throws -> BuildResult {
        let reporter = reporter ?? Self.reporter(nil, global, showsCached: false)
        let (cancellation, interruption) = interruptible()
        defer { interruption.end() }
        let host = SandboxStepHost(try MachineHost(home: global.homeFolder, images: images))
        let runner = PlanRunner(images: images, host: host, reporter: reporter, cancellation: cancellation)
        var options = PlanRunner.Options()
        options.version = Version.text
        configure(&options)
        defer { reporter.finish() }
        return try runner.run(Plan.make(recipe), options: options)
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
private final class Interruption {
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
