import Recipes
import Testing

@testable import Autoinstall

@Suite struct DraftTests {
    @Test("equal entries become one, with all their places, and the one that says a version stays")
    func merge() {
        var draft = RecipeDraft(name: "Shop API v2.0!")
        draft.add("git", Evidence(file: "a", line: 1))
        draft.add("git", Evidence(file: "b", line: 2))
        draft.add("curl", Evidence(file: "a", line: 1))
        draft.add("Ruff", manager: "pip", Evidence(file: "a"))
        draft.add("ruff>=0.4", manager: "pip", Evidence(file: "b"))
        #expect(draft.name == "shop-api-v2.0")
        #expect(draft.packages["apt"]?.map(\.value) == ["curl", "git"] && draft.packages["apt"]?.last?.evidence.map(\.description) == ["a:1", "b:2"])
        #expect(draft.packages["pip"]?.map(\.value) == ["ruff>=0.4"])
    }

    @Test(
        "any name becomes a recipe's name",
        arguments: [
            ("", "repository"), ("...", "repository"), ("Ünïcode 7", "n-code-7"), (String(repeating: "x", count: 99), String(repeating: "x", count: 60)),
        ])
    func names(_ text: String, _ name: String) throws {
        let draft = RecipeDraft(name: text)
        #expect(draft.name == name)
        _ = try Recipe.parse(try draft.text(), file: "terrine.yaml", folder: "/")
    }

    @Test("an environment's own value goes before the one of the table, and a sample's values stay out")
    func environment() throws {
        let files = [
            "compose.yaml":
                "services:\n  app:\n    build: .\n    environment: { PGHOST: db, PGUSER: me }\n    depends_on: [db]\n  db:\n    image: postgres:15\n",
            ".env.example": "DEBUG=1\nREDIS_URL=redis://localhost:6379\nMONGO_URL=mongodb://localhost/x\n",
        ]
        try withRepository(files) { repository in
            let draft = RecipeDraft(try Probe().run(repository), name: "x")
            #expect(draft.env.map { "\($0.value.name)=\($0.value.value)" } == ["PGHOST=127.0.0.1", "PGUSER=me", "REDIS_URL=redis://localhost:6379"])
            #expect(draft.services.map(\.value.name) == ["postgresql", "redis"])
            #expect(draft.notes.contains { $0.message.contains("MongoDB has no package in Debian") && $0.evidence?.description == ".env.example:3" })
        }
    }

    @Test("a draft is written in the canonical form, whatever its values")
    func canonical() throws {
        var draft = RecipeDraft(name: "x")
        draft.env = [
            .init(.init(name: "A", value: "a: b # c"), []), .init(.init(name: "B", value: "$HOME ${x}"), []), .init(.init(name: "C", value: ""), []),
            .init(.init(name: "D", value: "yes"), []),
        ]
        draft.steps = [.init(StepDraft("one", "a\n\n  b: |\n"), []), .init(StepDraft("two", "- x"), []), .init(StepDraft("three", "  lead\nnext"), [])]
        draft.ports = [.init(.init(host: 8080, machine: 80), []), .init(.init(host: 9000, machine: 9000), [])]
        draft.standIns = [
            .init(.init(name: "KEY", purpose: "the secret KEY: #1", reason: "a.py:3: $KEY\nis read", value: "placeholder-not-a-secret"), []),
            .init(.init(name: "two", purpose: "a mirror", reason: "- it is asked"), []),
        ]
        let text = try draft.text()
        let recipe = try Recipe.parse(text, file: "terrine.yaml", folder: "/")
        #expect(recipe.standIns.map(\.name) == ["KEY", "two"] && recipe.standIns.map(\.purpose) == ["the secret KEY: #1", "a mirror"])
        #expect(recipe.standIns[0].reason == "a.py:3: $KEY is read" && recipe.environment["KEY"] == "placeholder-not-a-secret")
        #expect(recipe.env == ["A": "a: b # c", "B": "$HOME ${x}", "C": "", "D": "yes"])
        #expect(recipe.steps.map(\.run) == ["a\n\n  b: |\n", "- x", "  lead\nnext"] && recipe.ports.map(\.description) == ["8080:80", "9000:9000"])
        #expect(try RecipeFormat.formatted(text, file: "terrine.yaml") == text)
    }
}
