import ArgumentParser
import Builder
import Foundation
import Linux
import Machines
import Recipes

struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint", abstract: "Tell what a recipe may come to regret: things without a version, secrets in plain text.",
        discussion: "The exit code is 1 when something is found. A comment `# lint: allow RULE reason` on the line, or above it, silences a rule there.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var recipe: RecipeOptions

    @Flag(
        help:
            "Run the steps too, with every file of the workspace at hand, and see what they open that they do not declare. Builds the recipe if need be; needs root."
    )
    var trace = false

    @Flag(help: "Add what --trace finds to the steps' inputs, in the recipe's file. Implies --trace.")
    var fix = false

    @Flag(help: "Run the steps although the base is foreign: the host's kernel then mounts what a stranger wrote.")
    var trust = false

    @Flag(help: "List the rules.")
    var rules = false

    private struct Rule: Encodable {
        var name: String
        var summary: String
    }

    func run() throws {
        if rules {
            let rules = LintRule.allCases.map { Rule(name: $0.rawValue, summary: $0.summary) }
            return try global.print(["rules": rules]) { TextTable.render(["RULE", "WHAT"], rules.map { [$0.name, $0.summary] }) }
        }
        let recipes = try recipe.load(global)
        let files = recipes.map(\.file).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        var findings: [LintFinding] = []
        for file in files {
            let own = recipes.filter { $0.file == file }
            let undeclared = trace || fix ? try traced(own) : [:]
            if fix { try mend(own, undeclared) }
            findings += RecipeLint.findings(in: own, undeclared: fix ? [:] : undeclared)
        }
        try global.print(["findings": findings]) { findings.map(\.description).joined(separator: "\n") }
        if !findings.isEmpty { throw ExitCode(1) }
    }

    /// By image, and by step: the files that the step opens and does not declare.
    private func traced(_ recipes: [Recipe]) throws -> [Int: [Int: [String]]] {
        let images = try global.images()
        var out: [Int: [Int: [String]]] = [:]
        for (number, recipe) in recipes.enumerated() {
            let reporter = RecipeBuild.reporter(nil, global, showsCached: false)
            _ = try RecipeBuild.run(recipe, images: images, global: global, reporter: reporter) { $0.trustsBase = trust }
            let tracing = RecipeBuild.reporter(global.quiet ? Build.ProgressStyle.none : .plain, global, showsCached: false)
            defer { tracing.finish() }
            let host = SandboxStepHost(try MachineHost(home: global.homeFolder, images: images), trustsImages: trust)
            for found in try InputTrace(images: images, host: host, reporter: tracing).run(Plan.make(recipe)) {
                out[number, default: [:]][found.step, default: []].append(found.path)
            }
        }
        return out
    }

    /// Adds the inputs where the steps are written: a step of several images, or one in a fragment, once.
    private func mend(_ recipes: [Recipe], _ undeclared: [Int: [Int: [String]]]) throws {
        var lists: [SourceLocation: Set<String>] = [:]
        for (number, steps) in undeclared {
            for (step, paths) in steps {
                guard let place = recipes[number].locations["steps.\(step).inputs"] else { continue }
                lists[place, default: []].formUnion(paths)
            }
        }
        // From the end, so that what is added moves no other place.
        for (place, paths) in lists.sorted(by: { ($0.key.line, $0.key.column) > ($1.key.line, $1.key.column) }) {
            let new = try InputFix.adding(paths.sorted(), toListAt: place, in: Recipe.text(of: place.file))
            try FormatCommand.replaceKeepingMode(place.file, new)
            global.note("\(place.file):\(place.line): added \(paths.sorted().joined(separator: ", "))")
        }
    }
}
