import Foundation
import Testing

@testable import Recipes

/// The examples of the pages that are whole: recipes compile into plans, definitions of bases are accepted. (`Docs/recipes.md` has a test of its own.)
@Suite struct PagesTests {
    private static let top = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL.path
    private static let pages: [String] = {
        let docs = FileManager.default.enumerator(atPath: top + "/Docs")?.compactMap { $0 as? String } ?? []
        return ["README.md", "Recipes/README.md"] + docs.filter { $0.hasSuffix(".md") && $0 != "recipes.md" }.sorted().map { "Docs/" + $0 }
    }()

    private static func examples(_ page: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(top)/\(page)", encoding: .utf8)
        return text.components(separatedBy: "```yaml\n").dropFirst().compactMap { $0.components(separatedBy: "```").first }
            .filter { $0.contains("\nbase:") || $0.contains("\ndebian:") }
    }

    @Test("every whole recipe on a page compiles into a plan, and every base on one is accepted", arguments: pages)
    func whole(_ page: String) throws {
        for example in try Self.examples(page) {
            if example.contains("\ndebian:") {
                #expect(throws: Never.self) { try BaseDefinition.parse(example, file: page) }
                continue
            }
            try withFolder(["Makefile": "all:\n", "hello.c": "int main() {}\n", "src/a.c": ""]) { folder in
                for recipe in try Recipe.parseAll(example, file: page, folder: folder, Recipe.Options()) {
                    #expect(recipe.warnings.isEmpty)
                    #expect(try Plan.make(recipe).steps.last?.kind == .workspace)
                }
            }
        }
    }

    @Test("README.md has a whole recipe")
    func some() throws { #expect(try !Self.examples("README.md").isEmpty) }
}
