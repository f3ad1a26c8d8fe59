import Foundation
import Testing

@testable import Recipes

@Suite("The JSON Schema") struct SchemaTests {
    /// What Python's validator says of each fixture: valid, refused, or no YAML at all.
    private func verdicts() throws -> [String: String] {
        let script = """
            import json, sys, yaml, jsonschema
            schema = json.load(sys.stdin)
            jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator(schema)
            for path in sys.argv[1:]:
                try: value = yaml.safe_load(open(path))
                except yaml.YAMLError: print(path, "unreadable"); continue
                print(path, "refused" if list(validator.iter_errors(value)) else "valid")
            """
        let paths = ["valid", "broken"].flatMap { kind in Fixtures.names(kind).map { "\(Fixtures.folder)/\(kind)/\($0)" } }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script] + paths
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(JSONSchema.text().utf8))
        try input.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "apt-get install python3-jsonschema python3-yaml")
        let pairs = text.split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            return (String(words[0].dropFirst(Fixtures.folder.count + 1)), String(words[1]))
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    @Test("every valid fixture validates with a real validator, and what a schema can tell of the broken ones it tells")
    func validator() throws {
        let verdicts = try verdicts()
        for name in Fixtures.names("valid") { #expect(verdicts["valid/\(name)"] == "valid", "\(name)") }
        let path = Fixtures.folder + "/schema-accepts.txt"
        let accepted = verdicts.filter { $0.key.hasPrefix("broken/") && $0.value == "valid" }.map { $0.key.dropFirst(7) }.sorted().map { $0 + "\n" }.joined()
        if ProcessInfo.processInfo.environment["TERRINE_WRITE_EXPECTED"] != nil { try accepted.write(toFile: path, atomically: true, encoding: .utf8) }
        // Those that only reading the recipe tells: names that are there twice, files that are not, and the like.
        #expect(try accepted == String(contentsOfFile: path, encoding: .utf8))
    }

    @Test("the schema is the same text every time, and JSON")
    func stable() throws {
        #expect(JSONSchema.text() == JSONSchema.text())
        let object = try #require(try JSONSerialization.jsonObject(with: Data(JSONSchema.text().utf8)) as? [String: Any])
        let properties = try #require(object["properties"] as? [String: Any])
        #expect(Set(properties.keys) == Set(RecipeSchema.recipe.keys.map(\.name)))
    }
}
