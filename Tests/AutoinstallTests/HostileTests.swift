import Foundation
import Recipes
import TestSupport
import Testing

@testable import Autoinstall

/// A stranger's repository is read, and has no say over anything else.
@Suite struct HostileTests {
    private func probe(_ folder: String, limits: Repository.Limits = .init()) throws -> (Repository, RecipeDraft) {
        let repository = try Repository(root: folder, limits: limits)
        let draft = RecipeDraft(try Probe().run(repository), name: "hostile")
        _ = try Recipe.parse(try draft.text(), file: "terrine.yaml", folder: folder)
        return (repository, draft)
    }

    @Test("links are followed nowhere, whether they lead out, round or into nothing")
    func links() throws {
        try withFolder(["outside/package.json": "{\"name\": \"secret\"}", "repository/README.md": ""]) { folder in
            let repository = folder + "/repository"
            for (name, target) in [
                ("package.json", "../outside/package.json"), ("sub", "../outside"), ("round", "."), ("pyproject.toml", "/etc/passwd"), ("gone", "nowhere"),
            ] {
                try FileManager.default.createSymbolicLink(atPath: "\(repository)/\(name)", withDestinationPath: target)
            }
            let (read, draft) = try probe(repository)
            #expect(
                read.files.map(\.path) == ["README.md"] && read.text("package.json") == nil && read.text("sub/package.json") == nil
                    && read.text("../outside/package.json") == nil)
            #expect(draft.packages.isEmpty)
        }
    }

    @Test("pipes and other files that one would wait for are passed over")
    func pipes() throws {
        try withFolder(["a.txt": ""]) { folder in
            #expect(mkfifo(folder + "/Makefile", 0o644) == 0)
            let files = try probe(folder).0.files.map(\.path)
            #expect(files == ["a.txt"])
        }
    }

    @Test("what goes beyond a limit is left out and told")
    func limits() throws {
        var files = Dictionary(uniqueKeysWithValues: (0..<60).map { ("f\($0).txt", "") })
        files["package.json"] = "{\"x\": \"\(String(repeating: "y", count: 5000))\"}"
        files["deep/" + (0..<20).map { "d\($0)" }.joined(separator: "/") + "/go.mod"] = "module x\n"
        try withFolder(files) { folder in
            var limits = Repository.Limits()
            limits.fileSize = 1000
            let (repository, draft) = try probe(folder, limits: limits)
            let told = repository.notes.map(\.description).joined(separator: "\n")
            #expect(told.contains("12 folders deep") && !repository.files.contains { $0.path.hasSuffix("go.mod") })
            #expect(
                repository.text("package.json") == nil
                    && draft.notes.contains { $0.message.contains("larger than 0 KiB") || $0.message.contains("larger than") })
            limits.files = 10
            let few = try Repository(root: folder, limits: limits)
            #expect(few.files.count == 10 && few.notes.contains { $0.message.contains("more than 10 files") })
        }
    }

    @Test("what `.gitignore` leaves out and other people's code are not looked at")
    func ignored() throws {
        let files = [
            ".gitignore": "/out\n*.log\n!keep.log\n", "out/package.json": "{}", "a.log": "", "keep.log": "", "node_modules/x/package.json": "{}",
            "vendor/y/go.mod": "", "sub/.gitignore": "gen\n", "sub/gen/a": "", "sub/b": "",
        ]
        try withRepository(files) { #expect($0.files.map(\.path) == [".gitignore", "keep.log", "sub/.gitignore", "sub/b"]) }
    }

    @Test("bytes that are no text, bombs of anchors and depths without end are errors or notes")
    func bombs() throws {
        let bomb = "a0: &a0 [x, x]\n" + (1..<40).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1)]\n" }.joined()
        let deep = String(repeating: "[", count: 100_000)
        let files = [
            "docker-compose.yml": bomb, "compose.yaml": String(repeating: "- ", count: 100_000) + "x",
            ".gitpod.yml": "image: " + String(repeating: "{a: ", count: 50_000),
            ".devcontainer/devcontainer.json": deep, ".cursor/environment.json": "{\"install\": " + String(repeating: "{\"a\":", count: 50_000),
            "mise.toml": "a = " + deep,
            ".github/workflows/ci.yml": "jobs: { a: { steps: [ { run: &x \"true\" }, *x, *y ] } }",
            "pyproject.toml": String(repeating: "a.", count: 100_000) + "b = 1",
            "shell.nix": "buildInputs = " + deep, "package.json": deep, "Makefile": "test:\n\t" + String(repeating: "$(", count: 50_000),
            "Dockerfile": "FROM a\nRUN " + String(repeating: "\\\n", count: 20_000) + "<<A <<B <<C\n",
        ]
        try withFolder(files) { folder in
            try Data([0xFF, 0xFE, 0x80, 0x0A, 0xC3]).write(to: URL(filePath: folder + "/requirements.txt"))
            try Data([0x00, 0x01, 0x02]).write(to: URL(filePath: folder + "/setup.py"))
            let (_, draft) = try probe(folder)
            let told = draft.notes.map(\.description).joined(separator: "\n")
            for file in [
                "docker-compose.yml", "compose.yaml", ".gitpod.yml", ".devcontainer/devcontainer.json", ".cursor/environment.json", "mise.toml",
                ".github/workflows/ci.yml",
            ] {
                #expect(told.contains(file), "\(file)\n\(told)")
            }
        }
    }

    @Test("nothing in a name or a script gets out of its place in the recipe")
    func injection() throws {
        let files = [
            "Dockerfile":
                "FROM debian:bookworm\nENV A=\"x\u{2028}secrets: [oops]\" B=${B:-$$C} D=\u{F001}\nRUN echo hi && touch 'a\u{85}checks:\u{2028}- run: evil' && ./go\nRUN ./x\u{2029}  y\u{0B}\nRUN ./tabs\there '#' \": \"\n",
            "src/a\u{85}b # : x/__init__.py": "", "pyproject.toml": "[project]\nname = \"x\"\n", "requirements\u{2028}- evil.txt": "x\n",
            ".devcontainer/devcontainer.json":
                "{\"postCreateCommand\": \"  ./lead ${not} \\n\\n\\nsecond\\n\", \"containerEnv\": {\"OK\": \"a $$ b # c\", \"no name\": \"x\"}}",
        ]
        try withFolder(files) { folder in
            let (_, draft) = try probe(folder)
            let recipe = try Recipe.parse(try draft.text(), file: "terrine.yaml", folder: folder)
            #expect(recipe.secrets.isEmpty && recipe.checks.count == draft.checks.count && !recipe.checks.contains { $0.run.contains("evil") })
            #expect(zip(recipe.steps, draft.steps).allSatisfy { $0.run.trimmingSpaces == $1.value.run.trimmingSpaces.replacing("\u{F001}", with: "\u{FFFD}") })
        }
    }

    @Test("a definition that the repository brings cannot keep anyone busy")
    func patterns() throws {
        let ecosystem =
            "version: 1\nname: evil\ndetect: [{ file: \"**/**/**/*\", content: \"^(a+)+$\" }]\ngoals: [{ kind: build, run: \"x ${1}\", each: { file: \"*\", content: \"(.*)(.*)(.*)(.*)x$\" } }]\n"
        try withFolder([".terrine/ecosystems/evil.yaml": ecosystem, "a.txt": String(repeating: "a", count: 3900) + "b\n"]) { _ = try probe($0) }
    }

    @Test("whatever a file's bytes are, reading it ends in findings or a note")
    func fuzz() throws {
        var kinds: [(name: String, path: String, whole: [UInt8])] = []
        for name in Fixtures.names("importers") {
            let root = "\(Fixtures.folder)/importers/\(name)/repo"
            for file in try Repository(root: root).files {
                kinds.append((name, file.path, Array(try String(contentsOfFile: "\(root)/\(file.path)", encoding: .utf8).utf8)))
            }
        }
        try withFolder { folder in
            let repository = try Repository(root: folder)
            let context = ImportContext(repository: repository, carrier: ScriptCarrier(covers: []), knowledge: KnownPackages())
            var round = 0
            Fuzzer.run("importers", kinds.map(\.whole)) { bytes in
                // Each reader gets what was made of any kind's file.
                let importer = Importers.all[round % Importers.all.count]
                round += 1
                var findings = Findings()
                try importer.read(SourceText(path: kinds[round % kinds.count].path, bytes: bytes), context, &findings)
            }
        }
        Fuzzer.run("summaries", try Fixtures.names("summaries").map { Array(try Fixtures.text("summaries/\($0)").utf8) }) { bytes in
            _ = TestSummary.parse(String(decoding: bytes, as: UTF8.self))
        }
        Fuzzer.run("patterns", [#"^(a|b)*?[^x-z\d]{2,5}\b(?:c+)?$"#, #"(?i)find\s*\(\s*([\w.+-]+)"#].map { Array($0.utf8) }) { bytes in
            _ = try Pattern(String(decoding: bytes, as: UTF8.self)).firstMatch("aabb find( zlib ) cc")
        }
        Fuzzer.run(
            "ecosystems",
            try ["python", "go", "perl"].map { Array(try String(contentsOfFile: "Sources/Autoinstall/Ecosystems/\($0).yaml", encoding: .utf8).utf8) }
        ) { bytes in
            _ = try Ecosystem.parse(String(decoding: bytes, as: UTF8.self), file: "x.yaml")
        }
    }
}
