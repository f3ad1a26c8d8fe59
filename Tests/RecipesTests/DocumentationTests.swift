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
        let files = ["ops/pg.conf": "", "ops/skel/.profile": "", "requirements.txt": "", "dev/requirements.txt": ""]
        try withFolder(files) { folder in
            for example in examples {
                let recipe = example.hasPrefix("version:") ? example : Fixtures.head + example
                // The example's neighbour repository is not there: a stand-in is.
                let text = recipe.replacingOccurrences(of: "../billing", with: ".")
                #expect(throws: Never.self) { try Recipe.parse(text, file: "example", folder: folder) }
            }
        }
    }
}
