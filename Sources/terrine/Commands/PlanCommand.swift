import ArgumentParser
import Builder
import Foundation
import Images
import Recipes

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "plan", abstract: "Tell what a build would do, and why.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var recipe: RecipeOptions

    private struct Result: Encodable {
        struct Step: Encodable {
            var name: String
            var key: String?
            var cached: Bool
            var reason: String?
        }
        var steps: [Step]
        /// RFC 3339: when the base's packages were looked up.
        var baseBuilt: String?
    }

    func run() throws {
        let status = try PlanStatus(Plan.make(recipe.load()), images: try ImageStore(home: global.homeFolder))
        let steps = status.steps.map { Result.Step(name: $0.name, key: $0.key, cached: $0.isCached, reason: $0.reason) }
        try global.print(Result(steps: steps, baseBuilt: status.baseBuilt?.formatted(.iso8601))) {
            var rows = steps.map { [$0.name, $0.key.map { String($0.prefix(12)) } ?? "-", $0.cached ? "cached" : $0.reason ?? ""] }
            if let built = status.baseBuilt, !rows.isEmpty { rows[0][2] += ", packages of \(built.formatted(.iso8601.year().month().day()))" }
            return TextTable.render(["STEP", "KEY", "STATE"], rows)
        }
    }
}
