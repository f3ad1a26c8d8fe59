import Foundation
import Testing

@testable import Recipes

@Suite("The language of recipes") struct LanguageTests {
    private func parse(_ name: String, sets: [String] = [], only: [String] = [], architecture: String = "amd64") throws -> [Recipe] {
        var options = Recipe.Options(sets: sets, only: only)
        options.architecture = architecture
        return try Recipe.parseAll(Fixtures.text("valid/\(name).yaml"), file: "terrine.yaml", folder: Fixtures.beside, options)
    }

    @Test("variables are put into values; a script gets those that it names, as environment, and stays as it is")
    func variables() throws {
        let recipe = try parse("variables")[0]
        #expect(recipe.name == "shop-dev" && recipe.base == .named("debian-bookworm") && recipe.description == "$5 for dev on amd64")
        #expect(recipe.env == ["WORKERS": "4", "TOKEN": "none"])
        #expect(recipe.steps.map(\.name) == ["build dev"])
        #expect(recipe.steps[0].run == "make -j\"${JOBS:-2}\" STAGE=$STAGE $$" && recipe.steps[0].env == ["STAGE": "dev"])
        #expect(recipe.checks[0].env == ["STAGE": "dev"])
        let other = try parse("variables", sets: ["STAGE=prod", "DEBUG=true", "TOKEN=x", "env.WORKERS=8"])[0]
        #expect(other.name == "shop-prod" && other.steps.map(\.name) == ["build prod", "symbols"])
        #expect(other.env == ["WORKERS": "8", "TOKEN": "x"])
    }

    @Test(
        "--set is checked by the variable's declaration",
        arguments: [("STAGE=prd", "did you mean `prod`"), ("DEBUG=yes", "true or false"), ("WORKERS=x", "a number"), ("STAEG=dev", "did you mean `STAGE`")])
    func badSet(_ set: String, _ words: String) throws {
        let error = #expect(throws: RecipeDiagnostics.self) { try parse("variables", sets: [set]) }
        #expect(error?.description.contains(words) == true && error?.description.hasPrefix("--set \(set):1:7: error: ") == true, "\(String(describing: error))")
    }

    @Test("a matrix is one image for each combination, less what is excluded, plus what is included")
    func matrix() throws {
        let recipes = try parse("matrix")
        #expect(recipes.map(\.name) == ["shop-bookworm-3.11", "shop-trixie-3.11", "shop-trixie-3.13", "shop-sid-3.14"])
        #expect(recipes.map(\.base.text) == ["debian-bookworm", "debian-trixie", "debian-trixie", "debian-sid"])
        #expect(recipes[0].packages["apt"]?.packages == ["python3.11"] && recipes[3].packages["apt"]?.packages == ["python3.14", "gdb", "strace"])
        #expect(recipes[1].cell == ["suite": "trixie", "python": "3.11"])
        #expect(try parse("matrix", only: ["suite=trixie", "python=3.13"]).map(\.name) == ["shop-trixie-3.13"])
        #expect(try parse("matrix", only: ["suite=trixie", "suite=sid"]).count == 3)
        for (argument, words) in [("suite=trixi", "did you mean `trixie`"), ("siute=sid", "did you mean `suite`"), ("suite", "is not key=value")] {
            let error = #expect(throws: RecipeDiagnostics.self) { try parse("matrix", only: [argument]) }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
        #expect(throws: RecipeDiagnostics.self) { try parse("matrix", sets: ["suite=sid"]) }
        #expect(throws: RecipeDiagnostics.self) { try parse("minimal", only: ["suite=sid"]) }
        #expect(throws: RecipeError.self) {
            try Recipe.parse(Fixtures.text("valid/matrix.yaml"), file: "terrine.yaml", folder: Fixtures.beside)
        }
    }

    @Test("what when rules out is not there: by architecture, by variable, any of a list, and not")
    func conditions() throws {
        let small = try parse("when")[0]
        #expect(small.packages["apt"]?.packages == ["git", "libc6-i386"] && small.packages["pip"] == nil && small.services.isEmpty && small.checks.isEmpty)
        #expect(small.steps.map(\.run) == ["make small"] && small.files.count == 1)
        let full = try parse("when", sets: ["MODE=full"], architecture: "arm64")[0]
        #expect(full.packages["apt"]?.packages == ["git", "libc6-dev"] && full.packages["pip"]?.packages == ["ruff"])
        #expect(full.services.count == 1 && full.checks.count == 1 && full.steps.map(\.run) == ["make full"])
        #expect(try parse("when", sets: ["MODE=full"], architecture: "s390x")[0].services.isEmpty)
    }

    @Test("a fragment's entries come first, and places lead into its own file")
    func include() throws {
        let recipe = try parse("include")[0]
        #expect(recipe.packages["apt"]?.packages == ["python3", "python3-venv", "git"] && recipe.packages["pip"]?.packages == ["ruff"])
        #expect(recipe.steps.map(\.name) == ["lint", "build"] && recipe.timeout == .seconds(600))
        #expect(recipe.locations["steps.0.name"] == SourceLocation(file: "parts/python.yaml", line: 8, column: 13))
        let shown = recipe.diagnostic("steps.0.name", "x").description
        #expect(shown.contains("parts/python.yaml:8:13: error: x\n  8 |   - { name: lint, run: ruff check }"))
    }

    @Test("a child's values count, its entries take the place of those of the same name, and it can leave out")
    func extends() throws {
        let recipe = try parse("extends")[0]
        #expect(recipe.name == "shop" && recipe.base == .named("debian-bookworm"))
        #expect(recipe.packages["apt"]?.packages == ["git", "make"] && recipe.packages["pip"]?.values("venv") == ["/opt/team"])
        #expect(recipe.env == ["LANG": "C"] && recipe.services.isEmpty && recipe.checks.count == 1)
        #expect(recipe.steps.map(\.name) == ["lint", "build"] && recipe.steps[0].run == "ruff check --fix")
    }

    @Test("fragments and recipes are read from images, and what they name lies beside them there")
    func images() throws {
        struct FakeImages: RecipeImages {
            let files: [String: String]
            func file(_ path: String, ofImage image: String) throws -> [UInt8] {
                guard let text = files["\(image):\(path)"] else { throw RecipeError("notFound", "there is no \(path) in \(image)") }
                return Array(text.utf8)
            }
            func workspace(ofImage image: String) throws -> String { "/opt" }
        }
        let images = FakeImages(files: [
            "team:1:/opt/terrine.yaml": "version: 1\nname: team\nbase: debian-bookworm\ninclude: ci/a.yaml\n", "team:1:/opt/ci/a.yaml": "env: { A: a }\n",
            "parts:/etc/terrine/b.yaml": "env: { B: b, C: [] }\n",
        ])
        let head = "version: 1\nname: shop\nextends: { image: \"team:1\" }\n"
        func parse(_ text: String) throws -> Recipe {
            try Recipe.parseAll(text, file: "terrine.yaml", folder: Fixtures.beside, Recipe.Options(images: images))[0]
        }
        #expect(try parse(head).env == ["A": "a"])
        let error = #expect(throws: RecipeDiagnostics.self) {
            try parse(head + "include:\n  - { image: parts, path: /etc/terrine/b.yaml }\n  - { image: parts, path: /etc/x.yaml }\n")
        }
        #expect(error?.description.contains("parts:/etc/terrine/b.yaml:1:17: error: `env.C` is a list") == true)
        #expect(error?.description.contains("terrine.yaml:6:5: error: cannot read `parts:/etc/x.yaml`: there is no /etc/x.yaml in parts") == true)
    }

    @Test("a repository has terrine.yaml and .terrine/*.yaml, which are about the repository; their names differ")
    func repository() throws {
        let files = [
            "terrine.yaml": Fixtures.head,
            ".terrine/ci.yaml": "version: 1\nname: ci\nbase: debian-bookworm\ninclude: parts/p.yaml\nfiles: [{ from: f, to: /etc/f }]\n",
            ".terrine/parts/p.yaml": "env: { A: a }\n", "f": "",
        ]
        try withFolder(files) { folder in
            let recipes = try Recipe.loadRepository(folder, Recipe.Options())
            #expect(recipes.map(\.name) == ["shop", "ci"] && recipes.allSatisfy { $0.folder == folder } && recipes[1].env == ["A": "a"])
            try write(Fixtures.head, folder, ".terrine/more.yaml")
            let error = #expect(throws: RecipeDiagnostics.self) { try Recipe.loadRepository(folder, Recipe.Options()) }
            #expect(error?.description.contains("more.yaml:2:7: error: two recipes are named `shop`; the first is at \(folder)/terrine.yaml:2:7") == true)
            try FileManager.default.removeItem(atPath: folder + "/terrine.yaml")
            let none = #expect(throws: RecipeError.self) { try Recipe.load(folder) }
            #expect(none?.description.contains(".terrine/ci.yaml") == true && none?.fix == "name one of them, or say --all")
        }
    }
}
