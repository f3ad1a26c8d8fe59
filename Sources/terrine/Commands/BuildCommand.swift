import ArgumentParser
import Builder
import Foundation
import Images
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

    @Flag(help: "Look up again what packages the base is made from.")
    var update = false

    @Flag(help: "Rewrite the image into one layer at the end, the same bytes on any host: the form to ship.")
    var flatten = false

    @Option(help: "How progress is shown: a tree on a terminal, else lines.")
    var progress: ProgressStyle?

    enum ProgressStyle: String, ExpressibleByArgument, CaseIterable { case tree, plain, json, none }

    private struct Result: Encodable {
        struct Step: Encodable {
            var name: String
            var key: String
            var cached: Bool
            var reason: String?
            var milliseconds: Int
        }
        var image: String
        var digest: String
        var steps: [Step]
        var milliseconds: Int
    }

    func run() throws {
        let images = try global.images()
        let reporter = RecipeBuild.reporter(progress, global, showsCached: true)
        let result = try RecipeBuild.run(recipe.load(), images: images, global: global, reporter: reporter) { options in
            (options.reference, options.ignoresCache, options.updatesBase, options.flattens) = (tag, noCache, update, flatten)
        }
        let steps = result.steps.map { Result.Step(name: $0.name, key: $0.key, cached: $0.isCached, reason: $0.reason, milliseconds: $0.duration.milliseconds) }
        let milliseconds = result.duration.milliseconds
        try global.print(Result(image: result.reference, digest: result.image.digest.description, steps: steps, milliseconds: milliseconds)) {
            let cached = steps.filter(\.cached).count
            let count = cached == steps.count ? "every step cached" : "\(cached) of \(steps.count) steps cached"
            return "\(result.reference) \(result.image.digest) (\(count), \(milliseconds) ms)"
        }
    }
}

/// A build with its progress shown and Ctrl-C understood.
enum RecipeBuild {
    static func run(
        _ recipe: Recipe, images: ImageStore, global: GlobalOptions, reporter: (any BuildReporter)? = nil,
        _ configure: (inout PlanRunner.Options) -> Void = { _ in }
    ) throws -> BuildResult {
        let reporter = reporter ?? Self.reporter(nil, global, showsCached: false)
        let cancellation = Cancellation()
        let interruption = Interruption {
            // A second one does not wait for anything; machines of a build go with its process.
            if cancellation.isCancelled || !cancellation.cancel() { exit(130) }
        }
        defer { interruption.end() }
        let host = SandboxStepHost(try MachineHost(home: global.homeFolder, images: images))
        let runner = PlanRunner(images: images, host: host, reporter: reporter, cancellation: cancellation)
        var options = PlanRunner.Options()
        configure(&options)
        defer { reporter.finish() }
        return try runner.run(Plan.make(recipe), options: options)
    }

    /// - Parameter showsCached: whether steps are told that take nothing to make; for a command that is there to build.
    static func reporter(_ style: Build.ProgressStyle?, _ global: GlobalOptions, showsCached: Bool) -> any BuildReporter {
        switch style ?? (global.quiet ? .none : isatty(2) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" ? .tree : .plain) {
        case .tree: TreeProgress()
        case .plain: PlainProgress(showsCached: showsCached)
        case .json: JSONProgress()
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
