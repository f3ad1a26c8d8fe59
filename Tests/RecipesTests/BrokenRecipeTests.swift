import Foundation
import Testing

@testable import Recipes

enum Fixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures").path
    /// Stands for the folder that a recipe lies in.
    static let beside = folder + "/beside"

    static func names(_ kind: String) -> [String] {
        let files = try! FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(kind)")
        return files.filter { $0.hasSuffix(".yaml") }.sorted()
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8)
    }

    static func parse(_ text: String, sets: [String] = []) throws -> Recipe {
        try Recipe.parse(text, file: "terrine.yaml", folder: beside, sets: sets)
    }

    static let head = "version: 1\nname: shop\nbase: debian-bookworm\n"
}

/// A folder of its own that is gone afterwards.
func withFolder<T>(_ files: [String: String] = [:], _ body: (String) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.appending(path: "recipes-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (path, text) in files { try write(text, folder, path) }
    return try body(folder)
}

func write(_ text: String, _ folder: String, _ path: String) throws {
    let full = folder + "/" + path
    let parent = (full as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    try text.write(toFile: full, atomically: false, encoding: .utf8)
}

@Suite struct BrokenRecipeTests {
    @Test("a broken recipe is told exactly what is wrong with it", arguments: Fixtures.names("broken"))
    func diagnostics(_ name: String) throws {
        let text = try Fixtures.text("broken/\(name)")
        let error = #expect(throws: RecipeDiagnostics.self) {
            try Recipe.parseAll(text, file: name, folder: Fixtures.beside, Recipe.Options())
        }
        let found =
            (error?.description ?? "no error").replacingOccurrences(of: Fixtures.folder, with: "FIXTURES") + "\n"
        let path = "broken/\(name.replacingOccurrences(of: ".yaml", with: ".expected"))"
        if ProcessInfo.processInfo.environment["TERRINE_WRITE_EXPECTED"] != nil {
            try found.write(toFile: "\(Fixtures.folder)/\(path)", atomically: true, encoding: .utf8)
        }
        #expect(try found == Fixtures.text(path))
    }

    @Test("there are enough broken recipes") func count() { #expect(Fixtures.names("broken").count >= 80) }

    @Test("diagnostics go through JSON and back")
    func json() throws {
        let error = #expect(throws: RecipeDiagnostics.self) { try Fixtures.parse("version: 1\nnmae: x\n") }
        let sent = try #require(error)
        let data = try JSONEncoder().encode(sent)
        #expect(try JSONDecoder().decode(RecipeDiagnostics.self, from: data).diagnostics == sent.diagnostics)
        #expect(sent.diagnostics.first { $0.message.contains("nmae") }?.nearest == "name")
    }

    @Test("aliases cannot unfold without bound, nesting has an end")
    func bombs() {
        var text = Fixtures.head + "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for i in 1...9 {
            text += "a\(i): &a\(i) [\(Array(repeating: "*a\(i - 1)", count: 9).joined(separator: ","))]\n"
        }
        #expect(throws: RecipeDiagnostics.self) { try Fixtures.parse(text) }
        #expect(throws: RecipeDiagnostics.self) { try Fixtures.parse("a: " + String(repeating: "[", count: 900)) }
        #expect(throws: RecipeDiagnostics.self) { try Fixtures.parse("a: " + String(repeating: "[", count: 100_000)) }
        #expect(throws: RecipeDiagnostics.self) {
            try Fixtures.parse("a: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900))
        }
    }
}
