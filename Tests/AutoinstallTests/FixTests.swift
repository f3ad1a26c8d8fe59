import Foundation
import Testing

@testable import Autoinstall
@testable import Recipes

@Suite struct FixTests {
    private static let recipe =
        "version: 1\nname: x\nbase: debian-bookworm\npackages:\n  apt: [git]\n  pip: [attrs]\nsteps:\n  - { name: compile, run: make }\n"

    private func read(_ text: String) throws -> Recipe { try Recipe.parse(text, file: "terrine.yaml", folder: "/") }

    private func fix(_ patches: [RecipePatch], round: Int, _ target: Fix.Target = .check("tests"), isForPackages: Bool = false) -> Fix {
        let remedy = Remedy(Lack(.command, "jq", evidence: "jq: not found", rule: "x"), .distribution, patches, "command jq: jq: not found")
        return Fix(change: .remedy(remedy), targets: [target], round: round, isForPackages: isForPackages, why: remedy.reason)
    }

    @Test("packages that are added while exploring are steps of their rounds, before the recipe's own; what a layer of packages lacks is not")
    func quick() throws {
        var quick = QuickPackages()
        let recipe = try read(Self.recipe)
        func take(_ fix: Fix) -> Bool { quick.take(fix, recipe) }
        #expect(take(fix([.package(manager: "apt", name: "jq")], round: 2)) && take(fix([.package(manager: "apt", name: "flex")], round: 1)))
        #expect(take(fix([.package(manager: "pip", name: "tomli>=2")], round: 2)))
        #expect(!take(fix([.package(manager: "apt", name: "libpq-dev")], round: 2, .step("pip: attrs"), isForPackages: true)))
        #expect(!take(fix([.package(manager: "apt", name: "jq"), .variable(name: "A", value: "1")], round: 2)))
        #expect(!take(fix([.package(manager: "apt", name: "--root")], round: 2)))
        let made = try read(try quick.put(into: Self.recipe))
        #expect(made.steps.map(\.name) == ["explored apt 1", "explored apt 2", "explored pip 2", "compile"])
        #expect(made.steps[2].run == "pip install 'tomli>=2'" && made.steps[2].inputs == [] && made.packages["apt"]?.packages == ["git"])
        #expect(QuickPackages.manager(of: "steps.explored apt 2") == "apt" && QuickPackages.round(of: "steps.explored pip 12") == 12)
        #expect(QuickPackages.manager(of: "steps.compile") == nil && QuickPackages.round(of: "packages.apt") == nil)
    }

    @Test("of packages that belong together those that are there stay; a change that says nothing new is refused")
    func applied() throws {
        let both = try fix([.package(manager: "apt", name: "git"), .package(manager: "apt", name: "jq")], round: 1).applied(to: Self.recipe, read: read)
        #expect(try read(both).packages["apt"]?.packages == ["git", "jq"])
        #expect(throws: RecipeText.Refusal.self) { try fix([.package(manager: "apt", name: "git")], round: 1).applied(to: Self.recipe, read: read) }
    }

    @Test("a draft asks the index for what means one thing, and the table for what could mean anything")
    func drafts() throws {
        let knowledge = DraftKnowledge(try KnowledgeFixture.packages())
        #expect(knowledge.packages(forPkgConfig: "libxml-2.0") == ["libxml2-dev"] && knowledge.packages(forCMake: "Qt5Core") == ["qtbase5-dev"])
        #expect(knowledge.packages(forCMake: "CppUnit") == ["libcppunit-dev"])
        #expect(knowledge.packages(forFile: "glib.h") == KnownPackages().packages(forFile: "glib.h") && knowledge.packages(forCommand: "fortune").isEmpty)
    }
}
