import Foundation
import Recipes
import Testing

@testable import Autoinstall

@Suite struct EcosystemTests {
    private func draft(_ name: String) throws -> (result: Probe.Result, draft: RecipeDraft) {
        let result = try Probe().run(try Repository(root: "\(Fixtures.folder)/ecosystems/\(name)"))
        return (result, RecipeDraft(result, name: name))
    }

    @Test("each ecosystem is told by its files, and its draft is the one that a person has read", arguments: Fixtures.names("ecosystems"))
    func drafts(_ name: String) throws {
        let (result, draft) = try draft(name)
        if EcosystemCatalog.builtInNames.contains(name) { #expect(result.projects.contains { $0.ecosystem.name == name && $0.origin == .manifest }) }
        let text = try draft.text()
        let recipe = try Recipe.parse(text, file: "terrine.yaml", folder: "\(Fixtures.folder)/ecosystems/\(name)")
        #expect(recipe.checks.count == draft.checks.count && recipe.steps.count == draft.steps.count)
        try Fixtures.expect(text + draft.notes.map { "# note: \($0)\n" }.joined(), "ecosystems/\(name).yaml")
    }

    @Test("a repository of every ecosystem but the smallest has ten goals, a test among them", arguments: EcosystemCatalog.builtInNames)
    func goals(_ name: String) throws {
        if ["make", "c-make", "d-dub", "tcl", "zig", "r"].contains(name) { return }
        let (result, _) = try draft(name)
        #expect(result.goals.count >= 10, "\(result.goals.map(\.name))")
        #expect(result.goals.first?.kind == .test && result.goals.first?.runner != nil)
    }

    @Test("a repository without goals gets the honest answer")
    func nothing() throws {
        let (result, draft) = try draft("nothing")
        #expect(result.goals.isEmpty && result.projects.isEmpty && draft.checks.isEmpty)
        #expect(draft.notes.map(\.message) == ["nothing here says what ought to work: there is no goal to check"])
    }

    @Test("an ecosystem of one's own is data, at home or in the repository, and the nearer counts")
    func own() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Docs/autoinstall.md").path
        let text = try String(contentsOfFile: page, encoding: .utf8)
        let example = try #require(text.components(separatedBy: "```yaml\n").dropFirst().first?.components(separatedBy: "```").first)
        try withFolder([
            "ecosystems/boxes.yaml": example, "repository/boxes.toml": "lang = 2\n[tests]\n", "repository/spec/a.box": "", "repository/ship.box": "",
        ]) { home in
            let result = try Probe(home: home).run(try Repository(root: home + "/repository"))
            #expect(result.projects.map(\.ecosystem.name) == ["boxes"])
            #expect(result.goals.map(\.command) == ["boxes test", "boxes check ship.box", "boxes --version"])
            let draft = RecipeDraft(result, name: "x")
            #expect(draft.steps.map(\.value.run) == ["boxes build --edition 2"])
            try write("version: 1\nname: boxes\ndetect: [boxes.toml]\ngoals: [{ kind: build, run: mine }]\n", home, "repository/.terrine/ecosystems/boxes.yaml")
            #expect(try Probe(home: home).run(try Repository(root: home + "/repository")).goals.map(\.command) == ["mine"])
        }
    }

    @Test("a definition with mistakes is told with file and line, all at once")
    func mistakes() throws {
        let text =
            "version: 1\nname: boxes\ndetect: [../x]\nlangauge: x\nrunners:\n  - { runner: pytets, run: x }\ngoals:\n  - { kind: build, run: x, when: { file: a, content: \"(\" } }\nsteps:\n  - { name: a }\n"
        do {
            _ = try Ecosystem.parse(text, file: "boxes.yaml")
            Issue.record("accepted")
        } catch let error as RecipeDiagnostics {
            let told = error.diagnostics.map { "\($0.file):\($0.line) \($0.nearest ?? "")" }
            #expect(told == ["boxes.yaml:3 ", "boxes.yaml:4 language", "boxes.yaml:6 pytest", "boxes.yaml:8 ", "boxes.yaml:10 "], "\(error)")
        }
    }

    @Test("a name that would mean something to a shell gets into no command")
    func harmless() throws {
        let evil = "src/$(touch pwned)/__init__.py"
        try withRepository([
            "pyproject.toml": "[project]\nname = \"x\"\n[project.scripts]\n\"a; rm -rf /\" = \"x:y\"\nok = \"x:y\"\n", evil: "", "src/fine/__init__.py": "",
        ]) { repository in
            let commands = try Probe().run(repository).goals.map(\.command)
            #expect(commands.contains("ok --help") && commands.contains("python -c 'import fine'"))
            #expect(!commands.contains { $0.contains("pwned") || $0.contains("rm -rf") })
        }
    }

    @Test("what tests are run by is installed, also where no manifest says so")
    func testTools() throws {
        let files = [
            "setup.py": "from setuptools import setup\nsetup(name=\"x\")\n", "setup.cfg": "[tool:pytest]\naddopts = -ra --cov=x -n auto\n",
            "tests/conftest.py": "import pytest_asyncio\n", "tests/test_x.py": "from hypothesis import given\n\ndef test_a(mocker):\n    pass\n",
        ]
        try withRepository(files) { repository in
            let pip = RecipeDraft(try Probe().run(repository), name: "x").packages["pip"]?.map(\.value)
            #expect(pip == ["hypothesis", "pytest", "pytest-asyncio", "pytest-cov", "pytest-mock", "pytest-xdist", "setuptools", "wheel"])
        }
    }

    @Test("what a program that is a shell script calls is needed, also by a variable; what a script beside another program calls may be for its releases")
    func scripts() throws {
        let script = "#!/bin/sh\nGPG=\"gpg\"\nWHO=nobody\n$GPG --version\ntree .\n"
        func tools(_ files: [String: String]) throws -> Set<String> {
            try withRepository(files) { repository in
                Set(try Probe().run(repository).findings.compactMap { if case .tool(let name) = $0.subject { name } else { nil } })
            }
        }
        #expect(try tools(["src/vault.sh": script, "Makefile": "test:\n\tsh ./t\n"]).isSuperset(of: ["gpg", "tree"]))
        #expect(try tools(["src/vault.sh": script, "src/main.c": "int main(void) { return 0; }\n"]).isDisjoint(with: ["gpg", "tree"]))
        #expect(try tools(["scripts/sign.sh": script]).isDisjoint(with: ["gpg", "tree"]))
    }

    @Test("a repository of many files and folders is not looked through again for each of its ecosystems")
    func many() throws {
        var files: [String: String] = [:]
        for folder in 0..<40 { for file in 0..<50 { files["src/d\(folder)/sub/f\(file).c"] = "" } }
        files["src/d7/Cargo.toml"] = "[package]\nedition = \"2021\"\n"
        try withRepository(files) { repository in
            let places = try Probe().run(repository).projects.map { "\($0.ecosystem.name) \($0.folder)" }
            #expect(places == ["rust src/d7"])
            #expect(
                repository.files(matching: "*.c", in: "src/d39/sub").count == 50
                    && repository.files(matching: "**/f1.c", in: "src/d3").map(\.path) == ["src/d3/sub/f1.c"])
        }
    }

    @Test("of contradicting versions an environment's word counts, then the manifests'; what fits nowhere is said")
    func versions() throws {
        func base(_ files: [String: String]) throws -> (String, [String]) {
            try withRepository(files) { repository in
                let draft = RecipeDraft(try Probe().run(repository), name: "x")
                return (draft.base.value, draft.notes.map(\.message).filter { $0.contains("debian") })
            }
        }
        let setup = "from setuptools import setup\nsetup(python_requires=\">=3.6\")\n"
        #expect(try base(["setup.py": setup]).0 == "debian-bookworm")
        #expect(try base(["setup.py": setup, ".tool-versions": "python 3.13.1\n"]).0 == "debian-trixie")
        #expect(try base(["setup.py": "setup(python_requires=\">=3.6,<3.10\")\n"]).0 == "debian-bullseye")
        #expect(try base(["go.mod": "module x\n\ngo 1.22\n"]).0 == "debian-trixie")
        #expect(try base(["package.json": "{\"engines\": {\n\"node\": \"^18 || ^20\"}}"]).0 == "debian-bookworm")
        #expect(try base(["Cargo.toml": "[package]\nedition = \"2024\"\n"]).0 == "debian-trixie")
        #expect(try base(["Dockerfile": "FROM debian:bullseye\n"]).0 == "debian-bullseye")
        let (suite, notes) = try base(["setup.py": setup, ".python-version": "3.8.10\n"])
        #expect(suite == "debian-bullseye" && notes == ["python 3.8.10: debian-bullseye has 3.9; no Debian suite has it"], "\(notes)")
    }
}
