import Foundation
import Testing

@testable import Recipes

@Suite("Scripts/removal") struct RemovalScriptTests {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized.path

    private func removal(_ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: Self.root + "/Scripts/removal")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "apt-get install python3-yaml")
        return text
    }

    /// What a recipe has that can be taken out, by the script's names.
    private func entries(_ recipe: Recipe) -> Set<String> {
        var all = Set(recipe.env.keys.map { "env.\($0)" } + recipe.steps.map { "steps.\($0.name)" } + recipe.services.map { "services.\($0.name)" })
        for request in recipe.packages.requests {
            let name = "packages.\(request.manager.name)"
            all.formUnion(request.packages.map { "\(name).\($0)" } + request.options.keys.map { "\(name).\($0)" })
        }
        return all
    }

    @Test("each entry that it takes out is gone, and all else of the recipe is as it was", arguments: ["postgres", "js-yaml", "simplejson"])
    func taking(_ name: String) throws {
        let folder = "\(Self.root)/Recipes/\(name)"
        let whole = try #require(try Recipe.loadAll(folder, Recipe.Options()).first)
        let names = try removal("--entries", name).split(separator: "\n").map { String($0.dropFirst(name.count + 1)) }
        #expect(Set(names) == entries(whole))
        for entry in names {
            let rest = try Recipe.parse(try removal("--without", "\(name):\(entry)"), file: "terrine.yaml", folder: folder)
            #expect(entries(rest) == entries(whole).subtracting([entry]), "\(entry)")
            #expect(rest.checks == whole.checks && rest.files == whole.files && rest.base == whole.base && rest.resources == whole.resources)
            #expect(rest.steps == whole.steps.filter { "steps.\($0.name)" != entry }, "\(entry)")
        }
    }
}
