import ArgumentParser
import Autoinstall
import Builder
import Dispatch
import Foundation
import Linux
import Machines
import Recipes

struct AutoinstallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autoinstall", abstract: "Find out what a repository's environment lacks, and heal its recipe until the tests run.",
        discussion:
            "Begins with the recipe that is there, or with what `terrine init` would write; builds it, runs its checks in a machine, mends what they lack, and "
            + "proves the result from clean. Nothing of the repository runs on this host. The exit code is 0 for green alone.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("The repository's folder.", valueName: "dir"), completion: .directory)
    var path = "."

    @Flag(help: "Write the recipe when it was proven; else the difference is shown.")
    var write = false

    @Option(help: ArgumentHelp("How often it builds and tries before it gives up.", valueName: "count"))
    var maxRounds = 8

    @Option(help: ArgumentHelp("How long it may take, such as 20m.", valueName: "duration"))
    var budget = "20m"

    @Option(
        help: ArgumentHelp(
            "Where a secret of the recipe is: a variable or a file of this host; else the variable of its name.", valueName: "name=env:var|file:path"))
    var secret: [String] = []

    @Flag(help: "Begin with what the distribution's own package of this very project is built with, if there is one.")
    var useDistroPackaging = false

    @Option(help: ArgumentHelp("The model that is asked where no diagnoser has an answer; TERRINE_MODEL_URL says where it answers.", valueName: "name"))
    var model: String?

    @Option(help: ArgumentHelp("Mend this running machine at once, and the recipe when it is proven.", valueName: "name"), completion: .machines)
    var machine: String?

    @Option(help: ArgumentHelp("The command that is missing in the machine.", valueName: "command"))
    var missing: String?

    @Option(help: ArgumentHelp("What a command printed that failed in the machine; - for the input.", valueName: "file"), completion: .file())
    var failedLog: String?

    @Flag(help: "With --machine: wait for the proof, which else goes on in the background.")
    var wait = false

    @Flag(help: "Prove what was mended in running machines of this repository, as the process in the background does.")
    var provePending = false

    func validate() throws {
        try validateLive()
        if maxRounds < 1 { throw ValidationError("--max-rounds is \(maxRounds): at least one round is needed to find out anything") }
    }

    func run() throws {
        let folder = URL(fileURLWithPath: path).standardizedFileURL.path
        let file = folder + "/" + Recipe.fileName
        let reading = Recipe.Options(home: global.homeFolder, images: ImageFragments(home: global.homeFolder))
        let read: (String) throws -> Recipe = { text in
            let recipes = try Recipe.parseAll(text, file: file, folder: folder, reading)
            if recipes.count == 1 { return recipes[0] }
            throw RecipeError("matrix", "\(file) makes \(recipes.count) images, and autoinstall heals one at a time", fix: "leave out `matrix` while it does")
        }
        if let machine { return try healLive(machine, folder: folder, read) }
        if provePending { return try global.print(try prove(folder, read)) { "" } }
        var options = Healer.Options()
        (options.rounds, options.budget, options.usesPackaging) = (maxRounds, try DurationArgument.parse(budget), useDistroPackaging)
        let original = try FileManager.default.fileExists(atPath: file) ? Recipe.text(of: file) : nil
        if let original { _ = try read(original) }
        let proposer = try ModelEndpoint(model: model).map { ModelProposer($0, known: try ModelProposer.facts(folder, home: global.homeFolder)) }
        var report = try withWorkbench(options.budget) { bench in
            var healer = Healer(
                folder, home: global.homeFolder, original: original, workbench: bench, options: options, proposer: proposer, read: read
            ) { [global] in global.note($0) }
            return try healer.heal()
        }
        if write, report.isWorthWriting {
            try InitCommand.write(report.recipe, to: file)
            report.written = true
        }
        try global.print(report) {
            let wrote = report.written ? "\(file) written\n" : ""
            return (write || report.diff.isEmpty ? "" : report.diff + "\n") + wrote + report.text
        }
        if report.result != .green { throw ExitCode(1) }
    }

    /// What builds and runs goals, until the time is over.
    func withWorkbench<T>(_ time: Duration, _ body: (Workbench) throws -> T) throws -> T {
        let (cancellation, interruption) = RecipeBuild.interruptible()
        defer { interruption.end() }
        let reporter = RecipeBuild.reporter(
            global.json ? Build.ProgressStyle.none : global.quiet ? Build.ProgressStyle.none : .plain, global, showsCached: false)
        let images = try global.images()
        let host = SandboxStepHost(try MachineHost(home: global.homeFolder, images: images))
        let bench = Workbench(images: images, host: host, reporter: reporter, cancellation: cancellation) { [global] recipe in
            try LockOptions.default.plan(recipe, global)
        } secrets: { [secret] recipe in
            try BuildSecrets(for: recipe, sources: secret)
        }
        // Last: whoever counts from now on finds the time over when the alarm does.
        let alarm = Self.alarm(after: time, cancellation)
        defer { alarm.cancel() }
        let result = try body(bench)
        reporter.finish()
        return result
    }

    /// Stops everything when the time is over.
    private static func alarm(after budget: Duration, _ cancellation: Cancellation) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: .global(qos: .userInitiated))
        timer.schedule(deadline: .now() + .milliseconds(budget.milliseconds))
        timer.setEventHandler(handler: DispatchWorkItem { cancellation.cancel() })
        timer.resume()
        return timer
    }
}
