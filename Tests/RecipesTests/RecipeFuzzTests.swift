import Foundation
import TestSupport
import Testing

@testable import Recipes

@Suite struct RecipeFuzzTests {
    @Test("whatever a recipe's bytes are, it is a recipe or an error with places")
    func recipes() throws {
        let whole = try Fixtures.names("valid").map { Array(try Fixtures.text("valid/\($0)").utf8) }
        Fuzzer.run("recipes", whole) { bytes in
            do {
                _ = try Recipe.parseAll(String(decoding: bytes, as: UTF8.self), file: "terrine.yaml", folder: Fixtures.beside, Recipe.Options())
            } catch let error as RecipeDiagnostics {
                #expect(error.diagnostics.contains { $0.severity == .error } && error.diagnostics.allSatisfy { $0.line > 0 && $0.column > 0 })
                throw error
            }
        }
    }
}
