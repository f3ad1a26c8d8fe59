import Foundation
import Testing

@Suite("init on the command line", .serialized)
struct InitTests {
    private static let manifest = "[project]\nname = \"shop\"\nrequires-python = \">=3.9\"\n[project.scripts]\nshopctl = \"shop:main\"\n"

    private struct Result: Decodable {
        struct Goal: Decodable {
            let command: String
            let kind: String
        }
        struct Note: Decodable { let message: String }
        let file: String?
        let recipe: String
        let base: String
        let ecosystems: [String]
        let goals: [Goal]
        let services: [String]
        let secrets: [String]
        let notes: [Note]
    }

    private struct Failure: Decodable {
        struct Parts: Decodable {
            let code: String
            let fix: String?
        }
        let error: Parts
    }

    private static func fill(_ home: Home) throws {
        try home.write("shop/pyproject.toml", manifest)
        try home.write("shop/src/shop/__init__.py", "import os\nKEY = os.environ['STRIPE_API_KEY']\n")
        try home.write("shop/tests/test_shop.py", "import pytest\n")
        try home.write("shop/docker-compose.yml", "services:\n  cache:\n    image: redis:7\n  search:\n    image: example/unknown:1\n")
    }

    @Test("init writes a recipe that plan, fmt and lint can read, says where each line comes from, and does not replace it by itself")
    func writes() throws {
        try Home.with { home in
            try Self.fill(home)
            let folder = home.path + "/shop"
            let said = try home.terrine("init", folder, expect: 0).output
            #expect(
                said.contains("found: python") && said.contains("services: redis") && said.contains("secrets: STRIPE_API_KEY")
                    && said.contains("example/unknown"))
            let text = try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8)
            for part in [
                "base: debian-bookworm", "- redis-server", "# from docker-compose.yml:3", "shopctl --help", "python -m pytest", "# from pyproject.toml",
            ] {
                #expect(text.contains(part), "\(part)\n\(text)")
            }
            _ = try home.terrine("plan", folder, expect: 0)
            _ = try home.terrine("fmt", "--check", folder + "/terrine.yaml", expect: 0)
            try home.write("shop/terrine.yaml", "mine\n")
            let refused = try home.terrine("init", folder, "--json", expect: 1).json(Failure.self).error
            #expect(refused.code == "exists" && refused.fix?.contains("--force") == true)
            #expect(try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8) == "mine\n")
            _ = try home.terrine("init", folder, "--force", expect: 0)
            #expect(try String(contentsOfFile: folder + "/terrine.yaml", encoding: .utf8) == text)
        }
    }

    @Test("init -o writes elsewhere or to the output, and --json tells what was found")
    func elsewhere() throws {
        try Home.with { home in
            try Self.fill(home)
            let shown = try home.terrine("init", "-o", "-", in: home.path + "/shop", expect: 0)
            #expect(shown.output.hasPrefix("# Written by `terrine init`") && shown.errors.contains("note: docker-compose.yml:5"))
            #expect(!FileManager.default.fileExists(atPath: home.path + "/shop/terrine.yaml"))
            let result = try home.terrine("init", home.path + "/shop", "-o", home.path + "/other.yaml", "--json", expect: 0).json(Result.self)
            #expect(result.file == home.path + "/other.yaml" && result.recipe == shown.output && result.base == "debian-bookworm")
            #expect(result.ecosystems == ["python"] && result.services == ["redis"] && result.secrets == ["STRIPE_API_KEY"] && !result.notes.isEmpty)
            #expect(result.goals.first?.kind == "test" && result.goals.contains { $0.command == "redis-cli ping" })
        }
    }

    @Test("a repository that says nothing gets a recipe without checks, and the word that there are none")
    func nothing() throws {
        try Home.with { home in
            try home.write("words/README.md", "# Words\n")
            #expect(try home.terrine("init", home.path + "/words", expect: 0).output.contains("checks: none"))
            _ = try home.terrine("plan", home.path + "/words", expect: 0)
            #expect(try home.terrine("init", home.path + "/nowhere", "--json", expect: 1).json(Failure.self).error.code == "notFound")
        }
    }

    @Test("a link in the place of the recipe is replaced itself, and only when asked: what it leads to stays")
    func links() throws {
        try Home.with { home in
            try home.write("outside.txt", "mine\n")
            try home.write("work/go.mod", "module x\n\ngo 1.19\n")
            try FileManager.default.createSymbolicLink(atPath: home.path + "/work/terrine.yaml", withDestinationPath: "../outside.txt")
            _ = try home.terrine("init", home.path + "/work", expect: 1)
            _ = try home.terrine("init", home.path + "/work", "--force", expect: 0)
            #expect(try String(contentsOfFile: home.path + "/outside.txt", encoding: .utf8) == "mine\n")
            #expect(try String(contentsOfFile: home.path + "/work/terrine.yaml", encoding: .utf8).contains("golang-go"))
        }
    }

    @Test("an ecosystem at home is used, and one with a mistake is told with its line")
    func ecosystems() throws {
        try Home.with { home in
            try home.write("ecosystems/boxes.yaml", "version: 1\nname: boxes\ndetect: [boxes.toml]\ngoals: [{ kind: build, run: boxes build }]\n")
            try home.write("work/boxes.toml", "")
            #expect(try home.terrine("init", home.path + "/work", "--json", "-o", "-", expect: 0).json(Result.self).goals.map(\.command) == ["boxes build"])
            try home.write("ecosystems/boxes.yaml", "version: 1\nname: boxes\ndetcet: [boxes.toml]\n")
            #expect(try home.terrine("init", home.path + "/work", "-o", "-", expect: 2).errors.contains("boxes.yaml:3:1: error: unknown key `detcet`"))
        }
    }
}
