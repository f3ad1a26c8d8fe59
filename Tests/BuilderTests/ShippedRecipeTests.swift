import Foundation
import Recipes
import Testing

@testable import Builder

@Suite("What ships with terrine")
struct ShippedRecipeTests {
    private static let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    private static let recipes: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: top + "/Recipes")
        return (names ?? []).filter { FileManager.default.fileExists(atPath: "\(top)/Recipes/\($0)/terrine.yaml") }.sorted()
    }()

    @Test("every recipe of Recipes/ compiles into a plan, and runs the tests of what it builds", arguments: recipes)
    func recipe(_ name: String) throws {
        // One of a matrix for each of its images.
        for recipe in try Recipe.loadAll("\(Self.top)/Recipes/\(name)", Recipe.Options()) {
            #expect(recipe.warnings.isEmpty)
            #expect(try Plan.make(recipe).steps.last?.kind == .workspace)
            let tests = try #require(recipe.checks.first { $0.name == "upstream tests" }, "no check is named `upstream tests`")
            #expect(!tests.outputContains.isEmpty, "what says that tests ran at all?")
        }
    }

    @Test("the page of Recipes/ tells of each recipe, and the program that fetches sources is the same in all of them")
    func page() throws {
        #expect(Self.recipes.count >= 10)
        let page = try String(contentsOfFile: Self.top + "/Recipes/README.md", encoding: .utf8)
        var programs: Set<String> = []
        for name in Self.recipes {
            #expect(page.contains("[\(name)](\(name)/terrine.yaml)"))
            let fetch = "\(Self.top)/Recipes/\(name)/fetch"
            if FileManager.default.fileExists(atPath: fetch) { programs.insert(try String(contentsOfFile: fetch, encoding: .utf8)) }
        }
        #expect(programs.count == 1)
    }

    @Test("a base that is built in is the file of Images/, and a file beside the recipe goes before it")
    func bases() throws {
        let folder = try TestFolder()
        for name in BaseDefinitions.builtInNames {
            #expect(try BaseDefinitions(folder: Self.top).find(name) == BaseDefinitions(folder: folder.path).find(name))
        }
        #expect(BaseDefinitions.builtInNames == ["debian-bookworm", "debian-bullseye", "debian-trixie"])
        let builtIn = try #require(try BaseDefinitions(folder: folder.path).find("debian-bookworm"))
        #expect(try BaseDefinitions(folder: Self.top).find("debian-bookworm") == builtIn)
        #expect(try BaseDefinitions(folder: folder.path).find("no-such-base") == nil)
        try folder.sh("mkdir Images .git")
        try folder.write("Images/debian-bookworm.yaml", "version: 1\nname: debian-bookworm\ndebian: { suite: trixie }\n")
        #expect(try BaseDefinitions(folder: folder.path).find("debian-bookworm")?.debian.suite == "trixie")
        try folder.write("Images/bad.yaml", "version: 1\nname: bad\ndebain: { suite: trixie }\n")
        #expect(throws: RecipeDiagnostics.self) { try BaseDefinitions(folder: folder.path).find("bad") }
    }

    @Test("progress tells what a build does, line by line or as a tree")
    func progress() throws {
        let plain = RecordedLines()
        let json = RecordedLines()
        var tree = BuildTree(colour: false)
        let events: [BuildEvent] = [
            .planned(recipe: "app", steps: ["base", "compile"]), .cached(step: 0), .started(step: 1, reason: "input a.c changed"),
            .output(step: 1, line: "cc a.c"), .finished(step: 1, milliseconds: 1234, bytes: 5 << 20), .checkStarted(name: "tests"),
            .checkFinished(name: "tests", problem: nil, milliseconds: 7),
        ]
        let reporters: [any BuildReporter] = [PlainProgress { plain.add($0) }, JSONProgress { json.add($0) }]
        for event in events {
            for reporter in reporters { reporter.report(event) }
            tree.take(event, now: .now)
        }
        #expect(
            plain.lines == [
                "building app: 2 steps", "[1/2] base: cached", "[2/2] compile: running (input a.c changed)", "[2] cc a.c",
                "[2/2] compile: done in 1.2 s, 5.0 MiB changed", "check tests: running", "check tests: passed in 7 ms",
            ])
        #expect(json.lines[2] == #"{"event":"started","number":2,"reason":"input a.c changed","step":"compile"}"#)
        let drawn = tree.lines(now: .now, width: 60, height: 20)
        #expect(drawn.first == "app" && drawn[1].contains("✔ base") && drawn[2].contains("1.2 s  5.0 MiB"))
        #expect(tree.lines(now: .now, width: 60, height: 3).count == 2)
    }
}

private final class RecordedLines: @unchecked Sendable {
    // Unchecked: one thread reports.
    private(set) var lines: [String] = []
    func add(_ line: String) { lines.append(line) }
}
