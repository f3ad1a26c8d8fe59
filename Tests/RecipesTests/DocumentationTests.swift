import Foundation
import Testing

@testable import Recipes

@Suite struct DocumentationTests {
    @Test("every example in Docs/recipes.md is a part of a recipe that is accepted")
    func examples() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Docs/recipes.md").path
        let text = try String(contentsOfFile: page, encoding: .utf8)
        let examples = text.components(separatedBy: "```yaml\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
        #expect(examples.count >= 9)
        let files = [
            "ops/pg.conf": "", "ops/skel/.profile": "", "requirements.txt": "", "dev/requirements.txt": "",
            "ci/postgres.yaml": "packages: { apt: [postgresql] }\n",
            "ci/team.yaml": Fixtures.head + "packages: { apt: [vim] }\nenv: { DEBUG: a }\nservices: [{ name: db, run: redis-server }]\n", "Makefile": "",
            "src/a.c": "",
            "configure": "",
        ]
        try withFolder(files) { folder in
            for example in examples {
                let recipe = example.hasPrefix("version:") ? example : Fixtures.head + example
                // The example's neighbour repository is not there: a stand-in is.
                let text = recipe.replacingOccurrences(of: "../billing", with: ".")
                let recipes = try Recipe.parseAll(text, file: "example", folder: folder, Recipe.Options())
                // A whole recipe is planned too.
                if example.hasPrefix("version:") { for recipe in recipes { #expect(try Plan.make(recipe).steps.count > 1) } }
            }
        }
    }

    @Test("the example in Docs/managers.md is a manager that is accepted, and a recipe can use it")
    func manager() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Docs/managers.md").path
        let text = try String(contentsOfFile: page, encoding: .utf8)
        let example = try #require(text.components(separatedBy: "```yaml\n").dropFirst().first?.components(separatedBy: "```").first)
        try withFolder(["Managers/boxes.yaml": example]) { folder in
            let recipe = try Recipe.parse(Fixtures.head + "packages: { boxes: [red@1] }\n", file: "example", folder: folder)
            #expect(recipe.environment["BOXES_HOME"] == "/opt/boxes")
        }
    }
}
