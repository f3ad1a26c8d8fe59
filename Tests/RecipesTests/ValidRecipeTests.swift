import Foundation
import Testing

@testable import Recipes

@Suite struct ValidRecipeTests {
    @Test("every valid fixture is accepted", arguments: Fixtures.names("valid"))
    func accepted(_ name: String) throws {
        _ = try Recipe.parseAll(Fixtures.text("valid/\(name)"), file: "terrine.yaml", folder: Fixtures.beside, Recipe.Options())
    }

    @Test("the whole format is read into the recipe")
    func everything() throws {
        let recipe = try Fixtures.parse(Fixtures.text("valid/everything.yaml"))
        #expect(recipe.name == "shop" && recipe.base == .named("debian-bookworm"))
        #expect(recipe.resources.cpus == 2 && recipe.resources.memory == 2 << 30 && recipe.resources.disk == 16 << 30)
        #expect(recipe.packages["pip"]?.packages == ["requests==2.32.3"])
        #expect(recipe.files.first?.mode == 0o644)
        #expect(recipe.steps[0].run == "make -j2\nmake check\n")
        #expect(recipe.steps[0].caches.map(\.isShared) == [false, true])
        #expect(recipe.steps[0].network == Recipe.NetworkMode.none && recipe.steps[1].inputs == [])
        #expect(recipe.timeout == .seconds(3600) && recipe.user == "builder")
        #expect(recipe.network.run == .none && recipe.prewarm?.count == 2)
        #expect(recipe.secrets.first?.isRequired == true)
        #expect(recipe.standIns.map(\.name) == ["API_TOKEN", "notes"] && recipe.standIns.map(\.value) == ["placeholder-not-a-secret", nil])
        #expect(recipe.environment["API_TOKEN"] == "placeholder-not-a-secret" && recipe.environment["notes"] == nil)
        #expect(recipe.warnings.map(\.severity) == [.warning, .warning])
        #expect(recipe.environment["PATH"] == "/opt/venv/bin:" + Recipe.systemPath)
    }

    @Test("values are the text that was written: no Norway, no octal ports")
    func literal() throws {
        let recipe = try Fixtures.parse(Fixtures.text("valid/services.yaml"))
        #expect(recipe.env == ["PGHOST": "localhost", "EMPTY": "", "FLAG": "yes", "PORT": "5432"])
        #expect(recipe.ports.map(\.description) == ["8080:80", "9000:9000"])
        #expect(recipe.services[0].timeout == .seconds(90) && recipe.services[0].restart == .always)
        #expect(recipe.checks[0].outputContains == ["ok", "passed"] && recipe.checks[0].name == "check 1")
    }

    @Test("bases are told apart")
    func bases() throws {
        func base(_ text: String) throws -> Recipe.Base {
            try Recipe.parse("version: 1\nname: a\nbase: \(text)\n", file: "t", folder: "").base
        }
        #expect(try base("debian-bookworm") == .named("debian-bookworm"))
        #expect(try base("shop:1") == .image("shop:1"))
        #expect(try base("sha256:abcdef01") == .image("sha256:abcdef01"))
        #expect(try base("oci:example.com/a/b:1") == .oci("example.com/a/b:1"))
        #expect(try base("oci-layout:out:v1") == .ociLayout(path: "out", reference: "v1"))
        #expect(try base("tar:root.tar") == .tar(path: "root.tar"))
    }

    @Test("--set replaces a scalar and is checked like one")
    func sets() throws {
        let recipe = try Fixtures.parse(
            Fixtures.head, sets: ["resources.memory=4GiB", "name=other", "env.A=b=c", "network.build=none"])
        #expect(recipe.resources.memory == 4 << 30 && recipe.name == "other" && recipe.env["A"] == "b=c")
        #expect(recipe.network.build == .none)
        for (set, word) in [
            ("resources.memroy=1GiB", "memroy"), ("resources.memory=much", "a size"), ("steps.0.run=x", "list"),
            ("packages=x", "mapping"), ("novalue", "key=value"), ("a..b=c", "key=value"),
        ] {
            let error = #expect(throws: RecipeDiagnostics.self) {
                try Fixtures.parse(Fixtures.head + "packages: { apt: [git] }\nsteps: []\n", sets: [set])
            }
            #expect(error?.description.contains(word) == true, "\(set): \(String(describing: error))")
            #expect(error?.description.hasPrefix("--set \(set):1:7: error: ") == true)
        }
    }

    @Test("a variable that names itself is warned of")
    func literalPath() throws {
        let recipe = try Fixtures.parse(Fixtures.head + "env: { PATH: \"/x/bin:$PATH\" }\n")
        #expect(recipe.warnings.count == 1)
    }

    @Test("a folder is loaded by its terrine.yaml; a missing one says how to get it")
    func load() throws {
        try withFolder(["a/terrine.yaml": Fixtures.head, "b/terrine.yml": Fixtures.head]) { folder in
            let recipe = try Recipe.load(folder + "/a")
            #expect(recipe.folder == folder + "/a" && recipe.workspaceFolder == folder + "/a")
            let other = #expect(throws: RecipeError.self) { try Recipe.load(folder + "/b") }
            #expect(other?.fix == "rename terrine.yml to terrine.yaml")
            let none = #expect(throws: RecipeError.self) { try Recipe.load(folder + "/c") }
            #expect(none?.fix == "write one with `terrine init`")
        }
    }

    @Test("a file reached through a link that leads outside is refused")
    func linkOutside() throws {
        try withFolder(["outside": "secret", "in/terrine.yaml": Fixtures.head + "files: [{ from: x, to: /etc/x }]\n"]) {
            folder in
            try FileManager.default.createSymbolicLink(atPath: folder + "/in/x", withDestinationPath: "../outside")
            let error = #expect(throws: RecipeDiagnostics.self) { try Recipe.load(folder + "/in") }
            #expect(error?.description.contains("leads outside") == true)
        }
    }
}
