import Foundation
import Testing

@testable import Recipes

@Suite struct PackageManagerTests {
    /// A manager as a user would add one.
    static let boxes = """
        version: 1
        name: boxes
        order: 15
        program: boxes
        provide: "put boxes into the base"
        items: { shape: "a box such as red@1", pattern: "[a-z]+(@[0-9]+)?" }
        project: { required: [boxes.list], optional: ["**/*.box"] }
        keys:
          home: { kind: path, shape: "an absolute path in the machine", default: /opt/boxes }
          more: { kind: files, shape: "a file, or a list of files", includes: [--with] }
        environment: { set: { BOXES: "${home}" }, path: ["${home}/bin"] }
        registry: { variable: BOXES_URL }
        offline: { BOXES_OFFLINE: "1" }
        caches: [{ name: boxes, variable: BOXES_CACHE }]
        install: boxes add "$@"
        list: boxes list

        """

    @Test("every built-in manager is a file that can be read, and its scripts are valid shell", arguments: ManagerCatalog.builtInNames)
    func builtIn(_ name: String) throws {
        let manager = try #require(try ManagerCatalog(folder: "").find(name))
        #expect(manager.list != nil && manager.description != nil && manager.provide != nil && !manager.caches.isEmpty)
        var request = Recipe.PackageRequest(manager)
        request.packages = ["a", "it's"]
        request.project = manager.project == nil ? nil : "sub folder"
        let script = PackageScript(request: request, workspace: "/workspace")
        for text in [script.install, script.resolve ?? ""] {
            let process = Process()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-n", "-c", text]
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }
        #expect(script.install.contains("'it'\\''s'"))
    }

    @Test("a manager beside the recipe, or in the home, is used like one that is built in")
    func added() throws {
        let text = Fixtures.head + "packages: { boxes: { packages: [red@1], more: a.txt, project: ., registry: \"https://boxes.example.com\" }, apt: [git] }\n"
        let files = ["repo/terrine.yaml": text, "repo/boxes.list": "x", "repo/sub/y.box": "y", "repo/a.txt": "--with b.txt\n", "repo/b.txt": ""]
        try withFolder(files) { folder in
            let missing = #expect(throws: RecipeDiagnostics.self) { try Recipe.load(folder + "/repo") }
            #expect(missing?.description.contains("unknown key `boxes` in `packages`") == true)
            #expect(missing?.description.contains("Managers/NAME.yaml") == true)
            for place in ["home/managers", "repo/Managers"] {
                try write(Self.boxes, folder, place + "/boxes.yaml")
                let recipe = try Recipe.load(folder + "/repo", home: folder + "/home")
                let plan = try Plan.make(recipe)
                #expect(plan.steps.map(\.id) == ["base", "packages.apt", "packages.boxes", "workspace"])
                let step = plan.steps[2]
                #expect(step.inputs.map(\.path).sorted() == ["a.txt", "b.txt", "boxes.list", "sub/y.box"])
                #expect(step.environment["BOXES"] == "/opt/boxes" && step.environment["BOXES_CACHE"] == "/dev/terrine/caches/boxes")
                #expect(recipe.environment["PATH"]?.hasPrefix("/opt/boxes/bin:") == true)
                #expect(step.script?.contains("export BOXES_URL=\"$registry\"") == true)
                try FileManager.default.removeItem(atPath: folder + "/" + place)
            }
        }
    }

    @Test("a manager with mistakes tells all of them, each at its place")
    func mistakes() throws {
        let error = #expect(throws: RecipeDiagnostics.self) {
            try PackageManager.parse(
                "version: 1\nname: x\nprogam: x\nitems: { shape: a, pattern: \"(\" }\nkeys: { lock: { kind: path, shape: b } }\n", file: "x.yaml")
        }
        let told = try #require(error).diagnostics.map { "\($0.line) \($0.message)" }
        #expect(
            told == [
                "1 a package manager needs `program`", "1 a package manager needs `install`", "3 unknown key `progam` in a package manager",
                "4 `items.pattern` is the text \"(\"", "5 `lock` cannot be a key of a manager",
            ])
    }

    @Test("what a project needs and does not have is told by name")
    func missingLock() throws {
        let text = Fixtures.head + "packages: { boxes: { project: front } }\n"
        try withFolder(["terrine.yaml": text, "Managers/boxes.yaml": Self.boxes, "front/x": ""]) { folder in
            let recipe = try Recipe.load(folder)
            let error = #expect(throws: RecipeError.self) { try Plan.make(recipe) }
            #expect(error?.message == "cannot find front/boxes.list, which `packages.boxes` installs from")
        }
    }

    @Test("files are found that files name") func includes() {
        let options = ["-r", "-c", "--requirement"]
        #expect(PackageScript.includes(of: "-r a\n-cb\n--requirement=c\nrequests\n--hash=x\n", options: options) == ["a", "b", "c"])
    }
}

@Suite struct LockedStepTests {
    @Test("of a project alone nothing is resolved; of a list each version of a package counts in the key")
    func keys() throws {
        let text = Fixtures.head + "packages: { npm: { project: . } }\n"
        try withFolder(["terrine.yaml": text, "package.json": "{}", "package-lock.json": "{}"]) { folder in
            #expect(try Plan.make(Recipe.load(folder)).steps[1].packages?.resolve == nil)
            try write(Fixtures.head + "packages: { npm: [\"@team/box@1\", tool] }\n", folder, "terrine.yaml")
            let step = try Plan.make(Recipe.load(folder)).steps[1]
            #expect(step.packages?.resolve != nil && step.parts["resolve"] != nil)
            let both = step.locked(to: ["a 1 sha512-x a", "a 2 sha512-y tool/node_modules/a"])
            #expect(both.parts["locked a"] == "1 sha512-x a\n2 sha512-y tool/node_modules/a" && both.parts["resolve"] == nil)
        }
    }

    @Test("an update of one package leaves the lines of the others, and means a module by a command in it")
    func updates() throws {
        #expect(LockUse.requestedName("@team/box@1") == "@team/box" && LockUse.requestedName("@team/box") == "@team/box")
        #expect(LockUse.requestedName("requests>=2") == "requests" && LockUse.requestedName("golang.org/x/tools/cmd/a@latest") == "golang.org/x/tools/cmd/a")
        try withFolder(["terrine.yaml": Fixtures.head + "packages: { go: [example.com/tool/cmd/a@latest] }\n"]) { folder in
            let recipe = try Recipe.load(folder)
            let asked = try #require(Plan.make(recipe).steps[1].packages?.asked)
            var entry = TerrineLock.Entry()
            entry.packages["go"] = .init(
                asked: asked, packages: ["example.com/tool v1 h1:x example.com/tool/cmd/a", "example.com/greet v1 h1:y example.com/tool/cmd/a"])
            let kept = try Plan.make(recipe, lock: LockUse(entry, updates: [], for: recipe)).steps[1].packages
            #expect(kept?.locked?.count == 2 && kept?.isRenewed == false)
            let renewed = try Plan.make(recipe, lock: LockUse(entry, updates: ["example.com/tool/cmd/a"], for: recipe)).steps[1].packages
            #expect(renewed?.isRenewed == true && renewed?.previous == ["example.com/greet v1 h1:y example.com/tool/cmd/a"])
        }
    }
}

@Suite struct TerrineLockTests {
    static var example: TerrineLock {
        var entry = TerrineLock.Entry()
        let digest = String(repeating: "0a", count: 32)
        entry.base = .init(asked: digest, packages: ["base-files:amd64 12.4 sha256:1"], indices: [digest])
        entry.packages["apt"] = .init(asked: digest, packages: ["git:amd64 1:2.39.5-0+deb12u2 sha256:77", "x:all 1~b sha256:7"])
        entry.packages["pip"] = .init(asked: digest, packages: ["a 1 sha256:1 https://example.com/a.whl?x=\"y\"#z: q"])
        entry.repositories["/srv/x"] = .init(url: "git@example.com:x.git", ref: "main", commit: String(repeating: "b", count: 40))
        var lock = TerrineLock()
        lock["shop", "x86_64"] = entry
        return lock
    }

    @Test("a lock is read as it was written, and written the same each time")
    func roundTrip() throws {
        let text = Self.example.text
        let again = try TerrineLock.parse(text, file: "terrine.lock")
        #expect(again == Self.example)
        #expect(again.text == text)
        #expect(text.contains("          - git:amd64 1:2.39.5-0+deb12u2 sha256:77\n"))
    }

    @Test("a lock that cannot be used says where and what to do")
    func broken() throws {
        let conflict = "version: 1\n<<<<<<< HEAD\nimages:\n=======\n>>>>>>> other\n"
        let error = #expect(throws: RecipeDiagnostics.self) { try TerrineLock.parse(conflict, file: "terrine.lock") }
        #expect(error?.diagnostics.first?.line == 2 && error?.description.contains("makes it anew") == true)
        #expect(throws: RecipeDiagnostics.self) { try TerrineLock.parse("version: 2\n", file: "l") }
        #expect(throws: RecipeDiagnostics.self) { try TerrineLock.parse("version: 1\nimages: { a: { x: { base: { asked: no } } } }\n", file: "l") }
    }
}
