import Foundation
import Testing

@testable import Recipes

@Suite struct PlanTests {
    static let recipe =
        Fixtures.head + """
            packages:
              apt: [git, curl]
              pip: { requirements: requirements.txt }
            files: [{ from: ops/pg.conf, to: /etc/pg.conf, mode: "0600" }]
            env: { PGHOST: localhost }
            steps:
              - { name: compile, run: make, inputs: [Makefile, "src/**"], caches: [ccache] }
              - { name: none, run: "true", inputs: [] }
              - { name: all, run: make all, user: builder, network: none, timeout: 5m }

            """
    static let files = [
        "terrine.yaml": recipe, "requirements.txt": "-r more/dev.txt\nrequests\n", "more/dev.txt": "-c pins.txt\n",
        "more/pins.txt": "idna==3.7\n", "ops/pg.conf": "x", "Makefile": "all:", "src/a.c": "a", "src/b.c": "b",
        "README": "r",
    ]

    private func keys(_ folder: String, _ change: (String) throws -> Void = { _ in }) throws -> [String: String] {
        try change(folder)
        let plan = try Plan.make(Recipe.load(folder))
        let pairs = plan.steps.map { ($0.id, plan.key(of: $0, parentLayers: ["p"], architecture: "amd64")) }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    private func changed(_ change: @escaping (String) throws -> Void) throws -> [String] {
        try withFolder(Self.files) { folder in
            let before = try keys(folder)
            let after = try keys(folder, change)
            return before.keys.filter { before[$0] != after[$0] }.sorted()
        }
    }

    @Test("steps come in the order of the design, each with what it needs")
    func order() throws {
        try withFolder(Self.files) { folder in
            let plan = try Plan.make(Recipe.load(folder))
            #expect(
                plan.steps.map(\.id) == [
                    "base", "packages.apt", "packages.pip", "files", "steps.compile", "steps.none", "steps.all",
                    "workspace",
                ])
            let pip = plan.steps[2]
            #expect(pip.inputs.map(\.path) == ["more/dev.txt", "more/pins.txt", "requirements.txt"])
            #expect(pip.script?.contains("requirements=/tmp/terrine-inputs/requirements.txt") == true)
            #expect(plan.steps[3].inputs.map(\.mode) == [0o600] && plan.steps[3].inputs[0].target == "/etc/pg.conf")
            let compile = plan.steps[4]
            #expect(compile.inputs.map(\.path) == ["Makefile", "src/a.c", "src/b.c"])
            #expect(compile.inputs[1].target == "/workspace/src/a.c")
            #expect(compile.environment["CCACHE_DIR"] == "/dev/terrine/caches/ccache")
            #expect(compile.command == ["/bin/sh", "-e", "-c", "make"] && compile.workingFolder == "/workspace")
            #expect(plan.steps[5].inputs.isEmpty && plan.steps[6].inputs.count == Self.files.count)
            #expect(plan.steps[6].user == "builder" && plan.steps[6].timeout == .seconds(300))
            #expect(compile.normalised.hasPrefix("{\"caches\":\"[\\\"ccache\\\"]\",\"folder\":\"/workspace\""))
        }
    }

    @Test("only what is declared invalidates")
    func invalidation() throws {
        #expect(try changed { try write("rr", $0, "README") } == ["steps.all", "workspace"])
        #expect(try changed { try write("aa", $0, "src/a.c") } == ["steps.all", "steps.compile", "workspace"])
        #expect(try changed { try write("n", $0, "src/new.c") } == ["steps.all", "steps.compile", "workspace"])
        #expect(try changed { chmod($0 + "/src/a.c", 0o755) } == ["steps.all", "steps.compile", "workspace"])
        #expect(try changed { chmod($0 + "/src/a.c", 0o600) } == [])
        #expect(
            try changed { try write("idna==3.8\n", $0, "more/pins.txt") } == ["packages.pip", "steps.all", "workspace"])
        #expect(try changed { utimes($0 + "/src/a.c", [timeval(), timeval()]) } == [])
        #expect(
            try changed {
                try write(Self.recipe.replacingOccurrences(of: "[git, curl]", with: "[curl, git]"), $0, "terrine.yaml")
            }
                == ["steps.all", "workspace"])
        #expect(
            try changed { try write(Self.recipe.replacingOccurrences(of: "localhost", with: "db"), $0, "terrine.yaml") }
                == ["packages.pip", "steps.all", "steps.compile", "steps.none", "workspace"])
    }

    @Test("a stand-in is in a key only by the value of a variable that it brings")
    func standIns() throws {
        func adding(_ line: String) throws -> [String] { try changed { try write(Self.recipe + "stand_ins:\n  - \(line)\n", $0, "terrine.yaml") } }
        #expect(try adding("{ name: compile, for: a compiler, reason: it needs one }") == ["steps.all", "workspace"])
        #expect(
            try adding("{ name: KEY, for: a secret, reason: make reads it, value: placeholder }")
                == ["packages.pip", "steps.all", "steps.compile", "steps.none", "workspace"])
    }

    @Test("a key depends on parent and architecture, and is the same in another folder")
    func keyInputs() throws {
        try withFolder(Self.files) { one in
            try withFolder(Self.files) { two in
                #expect(try keys(one) == keys(two))
                let plan = try Plan.make(Recipe.load(one))
                let step = plan.steps[4]
                let key = plan.key(of: step, parentLayers: ["p"], architecture: "amd64")
                #expect(key.count == 64)
                #expect(key != plan.key(of: step, parentLayers: ["p", "q"], architecture: "amd64"))
                #expect(key != plan.key(of: step, parentLayers: ["p"], architecture: "arm64"))
            }
        }
    }

    @Test("the reason names what changed")
    func reasons() throws {
        try withFolder(Self.files) { folder in
            func record(_ parent: String = "p") throws -> [String: String] {
                let plan = try Plan.make(Recipe.load(folder))
                return plan.record(of: plan.steps[4], parentLayers: [parent], architecture: "amd64")
            }
            let old = try record()
            #expect(Plan.reason(old: nil, new: old) == "never built")
            #expect(Plan.reason(old: old, new: old) == "not in the cache any more")
            #expect(try Plan.reason(old: old, new: record("q")) == "step before it ran anew")
            try write("changed", folder, "src/a.c")
            #expect(try Plan.reason(old: old, new: record("q")) == "input src/a.c changed")
            try write("new", folder, "src/x.c")
            try FileManager.default.removeItem(atPath: folder + "/src/b.c")
            #expect(
                try Plan.reason(old: old, new: record())
                    == "input src/a.c changed, input src/b.c is gone, new input src/x.c")
            #expect(Plan.reason(old: ["env A": "1"], new: ["env A": "2"]) == "env A changed")
        }
    }

    @Test("an input that matches nothing is an error at its place, with what was meant")
    func noMatch() throws {
        let text = Fixtures.head + "steps:\n  - { name: a, run: make, inputs: [Makefil, \"lib/**\", out.o] }\n"
        try withFolder(["terrine.yaml": text, "Makefile": "", ".gitignore": "*.o\n", "out.o": ""]) { folder in
            let recipe = try Recipe.load(folder)
            let error = #expect(throws: RecipeDiagnostics.self) { try Plan.make(recipe) }
            let found = try #require(error).diagnostics
            #expect(found.map(\.column) == [36, 45, 55] && found.allSatisfy { $0.line == 5 })
            #expect(found[0].nearest == "Makefile")
            #expect(found[2].message == "the input `out.o` holds no file that .gitignore and .terrineignore let in")
        }
    }

    @Test("repositories and the workspace's own history count by commit")
    func commits() throws {
        let text = Fixtures.head + "repositories: [{ url: https://git.example.com/x, path: /srv/x, ref: main }]\n"
        try withFolder(["terrine.yaml": text, ".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": "aaaa\n"]) {
            folder in
            let recipe = try Recipe.load(folder)
            let workspace = try Workspace(root: folder)
            let one = try Plan.make(recipe, workspace: workspace) { _, _ in "1111" }
            let two = try Plan.make(recipe, workspace: workspace) { _, _ in "2222" }
            #expect(one.steps[1].clones.map(\.commit) == ["1111"])
            #expect(one.steps[1].normalised != two.steps[1].normalised)
            #expect(one.steps[2].clones.map(\.commit) == ["aaaa"] && one.steps[2].parts["git ref"] == "refs/heads/main")
        }
    }
}
