import ArgumentParser
import Builder
import Foundation
import Images
import Recipes
import Remotes
import Reports
import Trees

struct ContinuousIntegration: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ci", abstract: "Build and check in a CI job, and write the reports that its service shows.",
        discussion:
            "The image is named NAME:branch-BRANCH and NAME:commit-COMMIT when its checks pass. What it is compared with is the image that the branch had before, or "
            + "else that of --from-branch; where this host has none, it is looked for where --push sends to, and at --cache-from. With GITHUB_STEP_SUMMARY set, the summary is added to that file too. Steps of other branches are taken from the cache "
            + "by their keys, as in every build.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var recipe: RecipeOptions
    @OptionGroup var caches: CacheOptions

    @Option(
        help: ArgumentHelp(
            "Send a good image there, under the tags branch-BRANCH and commit-COMMIT; of several images each to its name below.", valueName: "host/path"))
    var push: String?

    @Option(help: ArgumentHelp("Write a JUnit file: a case for each step and each check.", valueName: "file"))
    var junit: String?

    @Option(help: ArgumentHelp("Write a summary page in Markdown.", valueName: "file"))
    var summary: String?

    @Option(help: ArgumentHelp("Write the image's bill of materials.", valueName: "file"))
    var sbom: String?

    @Option(help: "The bill's format: spdx or cyclonedx.")
    var sbomFormat = BillFormat.spdx

    @Option(help: ArgumentHelp("The branch; else what the service's variables or the repository say.", valueName: "branch"))
    var branch: String?

    @Option(help: ArgumentHelp("The branch to compare with while this one has no image of its own, such as main.", valueName: "branch"))
    var fromBranch: String?

    @Flag(help: "Build although the base is foreign: the host's kernel then mounts what a stranger wrote.")
    var trust = false

    @Option(help: "How progress is shown: a tree on a terminal, else lines.")
    var progress: Build.ProgressStyle?

    @Option(name: .shortAndLong, help: ArgumentHelp("How many images are built at a time; as many as there are cores if you say nothing.", valueName: "count"))
    var jobs: Int?

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs): at least one image is built at a time") }
        if let push, push.contains("@") || push.split(separator: "/").last?.contains(":") == true {
            throw ValidationError("--push \(push): it has a tag, and the images get tags of their own")
        }
    }

    func run() throws {
        let images = try global.images()
        let opened = try caches.open(images)
        let recipes: [Recipe]
        do { recipes = try recipe.load(global) } catch {
            // What is wrong with the recipe is in the reports too: a job's page shows nothing else.
            try tellUnreadable(error)
            throw error
        }
        let isMany = recipe.areMany(recipes)
        let places = try recipes.map { one in
            try push.map {
                try Remote(isMany ? "\($0)/\(one.name)" : $0, home: images.home, plainHTTP: caches.remote.plainHttp)
            }
        }
        // Of several images a cache's repository has one tag for all.
        let sources = isMany ? [] : try caches.cacheFrom.map { try Remote($0, home: images.home, plainHTTP: caches.remote.plainHttp) }
        let (cancellation, interruption) = RecipeBuild.interruptible()
        defer { interruption.end() }
        let builds = try RecipeBuilds(
            recipes, images: images, global: global, lock: .default, secrets: [], trustsBase: trust, cancellation: cancellation)
        let style = isMany ? RecipeBuild.severalStyle(progress, global) : progress
        let queue = SideBySide<CIJob.Outcome>(recipes.count) { [self] index, all in
            let one = recipes[index]
            let revision = try Revision.find(branch: branch, environment: ProcessInfo.processInfo.environment, folder: one.folder)
            let job = CIJob(
                images: images, global: global, recipe: one, revision: revision, fromBranch: fromBranch, isOneOfMany: isMany,
                reporter: RecipeBuild.reporter(style, global, showsCached: true, image: isMany ? one.name : nil), caches: opened, signingKey: caches.sign,
                place: places[index], lookingAt: [places[index]].compactMap { $0 } + sources, trusts: trust)
            return try job.run {
                try builds.run(index, among: all, reporter: $0, $1)
            } finish: {
                try writeBill($0, images, of: one, isOneOfMany: isMany)
            }
        }
        let outcomes = try queue.run(width: jobs ?? ProcessInfo.processInfo.activeProcessorCount).map { try $0.get() }
        try write(outcomes.map(\.report))
        let results = outcomes.map { CIResult($0.report, error: $0.error.map { ErrorReport.parts(of: $0) }) }
        let lines = outcomes.filter(\.report.isGood).map { CIResult.line($0.report) }.joined(separator: "\n")
        if isMany { try global.print(["images": results]) { lines } } else if let result = results.first { try global.print(result) { lines } }
        let errors = outcomes.compactMap { outcome in outcome.error.map { (outcome.report.name, $0) } }
        guard let first = errors.first else { return }
        if !global.json {
            for (name, error) in errors { FileHandle.standardError.write(Data(ErrorReport.text(of: error, image: recipes.count > 1 ? name : nil).utf8)) }
        }
        throw ExitCode(ErrorReport.exitCode(of: first.1))
    }

    /// Of several images each has a file of its own, with its name in front.
    private func writeBill(_ image: Image, _ images: ImageStore, of recipe: Recipe, isOneOfMany: Bool) throws -> String? {
        guard let sbom else { return nil }
        let url = URL(fileURLWithPath: sbom)
        let path = isOneOfMany ? url.deletingLastPathComponent().path + "/\(recipe.name)-\(url.lastPathComponent)" : sbom
        try ReportFile.write(sbomFormat.document(of: image, called: recipe.name, PackageInventory(image.tree(in: images))), to: path)
        return path
    }

    private func write(_ reports: [CIReport]) throws {
        if let junit { try ReportFile.write(Array(JUnitDocument(reports).text.utf8), to: junit) }
        let page = Array(SummaryPage(reports, size: bytesText).text.utf8)
        if let summary { try ReportFile.write(page, to: summary) }
        // GitHub shows all that the job's steps add to this file.
        guard let file = ProcessInfo.processInfo.environment["GITHUB_STEP_SUMMARY"], !file.isEmpty else { return }
        // One that cannot be made cannot be opened either, which is told.
        if !FileManager.default.fileExists(atPath: file) { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        guard let handle = FileHandle(forWritingAtPath: file) else {
            throw ReportError("unwritable", "GITHUB_STEP_SUMMARY names \(file), which cannot be written", fix: "unset it, or correct its folder")
        }
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(page))
        try handle.close()
    }

    private func tellUnreadable(_ error: any Error) throws {
        let name = URL(fileURLWithPath: RecipeOptions.folder(of: recipe.path)).lastPathComponent
        let revision = Revision(branch: branch ?? "-", commit: nil)
        var report = CIReport(name: name, revision: revision)
        let parts = ErrorReport.parts(of: error)
        report.failure = CIReport.Failure(message: "the recipe is not in order", cause: parts.message, fix: parts.fix)
        try write([report])
    }
}

/// What `ci --json` prints.
struct CIResult: Encodable {
    struct Step: Encodable {
        var name: String
        var outcome: String
        var reason: String?
        var milliseconds: Int
        var changedBytes: Int64?
    }
    struct Check: Encodable {
        var name: String
        var outcome: String
        var problem: String?
        var milliseconds: Int
    }
    struct Difference: Encodable {
        var since: String
        var packages: [PackageDifference.Entry]
        var files: [CIReport.FileChange]
    }
    var recipe: String
    var branch: String
    var commit: String?
    var passed: Bool
    var images: [String]
    var pushed: [String]
    var digest: String?
    var storedBytes: Int64?
    var fetchedBytes: Int64
    var steps: [Step]
    var checks: [Check]
    var difference: Difference?
    var sbom: String?
    var milliseconds: Int
    var error: ErrorReport.Parts?

    init(_ report: CIReport, error: ErrorReport.Parts?) {
        (recipe, branch, commit, passed) = (report.name, report.revision.branch, report.revision.commit, report.isGood)
        (images, digest, storedBytes, sbom, milliseconds) = (report.images, report.digest, report.storedBytes, report.bill, report.milliseconds)
        (pushed, fetchedBytes) = (report.pushed, report.fetchedBytes)
        steps = report.steps.map {
            Step(name: $0.name, outcome: $0.outcome.rawValue, reason: $0.reason, milliseconds: $0.milliseconds, changedBytes: $0.changedBytes)
        }
        checks = report.checks.map { Check(name: $0.name, outcome: $0.outcome.rawValue, problem: $0.problem, milliseconds: $0.milliseconds) }
        difference = report.difference.map { Difference(since: $0.since, packages: $0.packages, files: $0.files) }
        self.error = error
    }

    static func line(_ report: CIReport) -> String {
        let cached = report.steps.count { $0.outcome == .cached }
        let steps = cached == report.steps.count ? "every step cached" : "\(cached) of \(report.steps.count) steps cached"
        return "\(report.images.first ?? report.name) \(report.digest ?? "") (\(steps), \(report.checks.count) checks passed, \(report.milliseconds) ms)"
    }
}
