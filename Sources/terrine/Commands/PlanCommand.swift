import ArgumentParser
import Builder
import Foundation
import Images
import Recipes

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "plan", abstract: "Tell what a build would do, and why.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var recipe: RecipeOptions

    @Option(help: ArgumentHelp("Tell which package layers such a build would resolve anew: those older than this, such as 7d.", valueName: "duration"))
    var refreshOlder: Age?

    private struct Result: Encodable {
        struct Step: Encodable {
            var name: String
            var key: String?
            var cached: Bool
            var reason: String?
            /// RFC 3339: when a package layer that no lock is for was resolved to exact versions.
            var resolved: String?
        }
        /// One of several.
        var image: String?
        var values: [String: String]?
        var steps: [Step]
        /// RFC 3339: when the base's packages were looked up, or it was fetched.
        var baseBuilt: String?
    }

    func run() throws {
        let recipes = try recipe.load(global)
        let images = try ImageStore(home: global.homeFolder)
        let isMany = recipe.areMany(recipes)
        var results: [Result] = []
        var texts: [String] = []
        for one in recipes {
            let status = try PlanStatus(LockOptions.default.plan(one, global), images: images, refreshesOlder: refreshOlder?.duration)
            let steps = status.steps.map {
                Result.Step(name: $0.name, key: $0.key, cached: $0.isCached, reason: $0.reason, resolved: $0.resolved?.formatted(.iso8601))
            }
            var rows = status.steps.map { step in
                let age = step.resolved.map { ", resolved \(Age.text(since: $0)) ago" } ?? ""
                return [step.name, step.key.map { String($0.prefix(12)) } ?? "-", step.isCached ? "cached" + age : step.reason ?? ""]
            }
            if let built = status.baseBuilt, !rows.isEmpty {
                let verb = if case .oci = one.base { "fetched on" } else { "packages of" }
                rows[0][2] += ", \(verb) \(built.formatted(.iso8601.year().month().day()))"
            }
            texts.append((isMany ? "\(one.name):\n" : "") + TextTable.render(["STEP", "KEY", "STATE"], rows))
            results.append(
                Result(
                    image: isMany ? one.name : nil, values: one.cell.isEmpty ? nil : one.cell, steps: steps, baseBuilt: status.baseBuilt?.formatted(.iso8601)))
        }
        let text = texts.joined(separator: "\n\n")
        if !isMany, let only = results.first { return try global.print(only) { text } }
        try global.print(["images": results]) { text }
    }
}
