import Foundation
import Testing

@Suite("fmt, lint and schema on the command line", .serialized)
struct FormatLintTests {
    private static let ugly = "name: shop\nversion: 1   # one\nbase: 'debian-bookworm'\n"
    private static let tidy = "version: 1  # one\nname: shop\nbase: debian-bookworm\n"

    @Test("fmt writes what differs and keeps the mode; --check writes nothing and says so by its code")
    func format() throws {
        try Home.with { home in
            try home.write("terrine.yaml", Self.ugly)
            try home.write(".terrine/tidy.yaml", Self.tidy)
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: home.path + "/terrine.yaml")
            #expect(try home.terrine("fmt", "--check", in: home.path, expect: 1).output == "terrine.yaml\n")
            #expect(try String(contentsOfFile: home.path + "/terrine.yaml", encoding: .utf8) == Self.ugly)
            let result = try home.terrine("fmt", "--json", in: home.path, expect: 0).json([String: [String]].self)
            #expect(result == ["changed": ["terrine.yaml"], "unchanged": [".terrine/tidy.yaml"]])
            #expect(try String(contentsOfFile: home.path + "/terrine.yaml", encoding: .utf8) == Self.tidy)
            #expect(try FileManager.default.attributesOfItem(atPath: home.path + "/terrine.yaml")[.posixPermissions] as? Int == 0o640)
            #expect(try home.terrine(["fmt", "-"], input: Self.ugly, expect: 0).output == Self.tidy)
            try home.write("broken.yaml", "a: [\n")
            try home.write("terrine.yaml", Self.ugly)
            #expect(try home.terrine("fmt", "terrine.yaml", "broken.yaml", in: home.path, expect: 2).errors.contains("broken.yaml:"))
            #expect(try String(contentsOfFile: home.path + "/terrine.yaml", encoding: .utf8) == Self.ugly)
            try FileManager.default.removeItem(atPath: home.path + "/terrine.yaml")
            for name in ["broken.yaml", ".terrine"] { try FileManager.default.removeItem(atPath: home.path + "/" + name) }
        }
    }

    private struct Findings: Decodable {
        struct Finding: Decodable {
            let rule: String
            let line: Int
        }
        let findings: [Finding]
    }

    @Test("lint tells what it finds, with exit code 1, and nothing of what is allowed")
    func lint() throws {
        try Home.with { home in
            try home.write("work/terrine.yaml", Self.tidy + "packages: { apt: [git] }\nenv: { API_TOKEN: abcdefgh }\n")
            let found = try home.terrine("lint", home.path + "/work", "--json", expect: 1).json(Findings.self).findings
            #expect(found.map(\.rule) == ["unpinned-apt", "secret-in-text"] && found.map(\.line) == [4, 5])
            #expect(try home.terrine("lint", home.path + "/work", expect: 1).output.contains("terrine.yaml:5:"))
            try home.write("work/terrine.yaml", Self.tidy + "packages: { apt: [git] }  # lint: allow unpinned-apt a test\n")
            #expect(try home.terrine("lint", home.path + "/work", expect: 0).output.isEmpty)
            #expect(try home.terrine("lint", "--rules", expect: 0).output.contains("moving-ref"))
        }
    }

    @Test("schema prints JSON that names the keys")
    func schema() throws {
        try Home.with { home in
            let text = try home.terrine("schema", expect: 0).output
            let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            #expect((object["properties"] as? [String: Any])?["steps"] != nil)
        }
    }
}
