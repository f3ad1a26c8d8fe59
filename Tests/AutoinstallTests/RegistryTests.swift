import Testing

@testable import Autoinstall
@testable import Recipes

@Suite struct RegistryTests {
    private func lack(_ subject: String) -> Lack { Lack(.network, subject, evidence: "no such host", rule: "resolve") }

    private func planner(_ change: (inout RemedyContext) -> Void) throws -> RemedyPlanner {
        var context = RemedyContext(knowledge: try KnowledgeFixture.packages())
        change(&context)
        return RemedyPlanner(context)
    }

    private func instead(of registry: Registry, _ change: (inout RemedyContext) -> Void) throws -> RemedyPlanner.Replacement? {
        try planner(change).distribution(insteadOf: registry, for: lack("names"))
    }

    @Test("a script is told by the client that it starts, whatever is set before it")
    func scripts() {
        #expect(Registry.asked(by: "npm install --no-audit") == .npm)
        #expect(Registry.asked(by: "cd web && GOFLAGS=-v go build ./...") == .go)
        #expect(Registry.asked(by: "mkdir -p x\nenv A=1 cabal update; true") == .hackage)
        #expect(Registry.asked(by: "make -j2") == nil)
        // Only what is started counts, not what is named.
        #expect(Registry.asked(by: "echo npm") == nil)
    }

    @Test("a registry cannot be reached when its host's name is not known, or its client says so of any host")
    func hosts() {
        #expect(Registry.unreachable(lack("proxy.golang.org"), by: "make") == .go)
        #expect(Registry.unreachable(lack("static.crates.io"), by: "make") == .crates)
        #expect(Registry.unreachable(lack("names"), by: "npm ci") == .npm)
        #expect(Registry.unreachable(lack("example.org"), by: "make test") == nil)
        #expect(Registry.unreachable(Lack(.command, "npm", evidence: "npm: not found", rule: "sh"), by: "npm ci") == nil)
        var doubt = lack("the registry of npm")
        doubt.confidence = .possible
        #expect(Registry.unreachable(doubt, by: "npm ci") == nil)
    }

    @Test("what needs a registry that cannot be reached is no remedy any more; the distribution's is")
    func outOfReach() throws {
        let missing = Lack(.module, "express", language: "node", evidence: "Error: Cannot find module 'express'", rule: "node-module")
        func sources(_ unreachable: Set<Registry>) throws -> [Remedy.Source] {
            try planner {
                ($0.files, $0.declared) = (["package.json"], ["node": ["express": "^4"]])
                $0.unreachable = unreachable
            }.advice(for: missing).remedies.map(\.source)
        }
        #expect(try sources([]) == [.declared, .distribution])
        #expect(try sources([.npm]) == [.distribution])
        #expect(try sources([.go]) == [.declared, .distribution])
    }

    @Test("the distribution stands in for a proxy of Go's with a manifest of folders, and the client works with it")
    func go() throws {
        let found = try #require(
            try instead(of: .go) {
                ($0.files, $0.declared) = (["go.mod"], ["go": ["github.com/spf13/cobra": "github.com/spf13/cobra", "example.org/none": "example.org/none"]])
            })
        #expect(found.isForClient && found.remedy.patches.first == .package(manager: "apt", name: "golang-github-spf13-cobra-dev"))
        #expect(found.remedy.patches.contains(.variable(name: "GOPROXY", value: "off")))
        #expect(found.remedy.reason == "go cannot be reached, the distribution stands in: no such host")
        #expect(try instead(of: .go) { $0.files = ["main.go"] } == nil)
    }

    @Test("where the client cannot use the distribution's packages, they are there for what runs without it")
    func withoutClient() throws {
        let node = try #require(try instead(of: .npm) { $0.declared = ["node": ["express": "^4", "left-pad": "1"]] })
        #expect(!node.isForClient)
        #expect(
            node.remedy.patches == [
                .package(manager: "apt", name: "node-express"), .variable(name: "NODE_PATH", value: "/usr/share/nodejs:/usr/lib/nodejs"),
            ])
        let perl = try #require(try instead(of: .cpan) { $0.declared = ["perl": ["Moo": "Moo", "DBD::Pg": "DBD::Pg"]] })
        #expect(perl.remedy.patches == ["libdbd-pg-perl", "libmoo-perl"].map { .package(manager: "apt", name: $0) })
        let haskell = try #require(try instead(of: .hackage) { $0.declared = ["haskell": ["aeson": "aeson"]] })
        #expect(haskell.isForClient && haskell.remedy.patches.first == .package(manager: "apt", name: "libghc-aeson-dev"))
        #expect(try instead(of: .hex) { _ in } == nil)
    }

    @Test("manifests of many languages say what they depend on, their own keys aside")
    func declared() throws {
        let files = [
            "go.mod": """
            module example.org/me

            go 1.19

            require (
              github.com/spf13/pflag v1.0.5
              gopkg.in/yaml.v3 v3.0.1 // indirect
            )

            """,
            "x.cabal": """
            name: x
            library
              build-depends: base < 5
                           , aeson >= 2,
                             text
              exposed-modules: X
            test-suite t
              build-depends:
                base, QuickCheck

            """,
            "Cargo.toml": """
            [package]
            name = "x"
            [dependencies]
            serde = "1"
            [dev-dependencies]
            rand = { version = "0.8" }

            """,
            "META.json": """
            {
              "prereqs": { "runtime": { "requires": {
                "DBI" : "1.608",
                "Test::More" : "0.90"
              } } }
            }

            """,
            "x.gemspec": """
            Gem::Specification.new do |s|
              s.add_development_dependency(%q<minitest>.freeze, ["~> 5"])
              s.add_dependency "rake"
            end

            """,
            "pom.xml": """
            <project><parent>
            <groupId>a.b</groupId>
            <artifactId>parent</artifactId>
            </parent><dependencies>
            <dependency>
            <groupId>junit</groupId>
            <artifactId>junit</artifactId>
            </dependency>
            </dependencies></project>

            """,
        ]
        let declared = try withRepository(files) { repository in
            let recipe = try Recipe.parse("version: 1\nname: x\nbase: debian-bookworm\n", file: "terrine.yaml", folder: "/")
            let context = RemedyContext(repository, try Probe().run(repository), recipe: recipe, knowledge: try KnowledgeFixture.packages())
            return context.declared.mapValues { $0.keys.sorted() }
        }
        #expect(declared["go"] == ["github.com/spf13/pflag", "gopkg.in/yaml.v3"])
        #expect(declared["haskell"] == ["QuickCheck", "aeson", "base", "text"])
        #expect(declared["rust"] == ["rand", "serde"])
        #expect(declared["perl"] == ["DBI", "Test::More"])
        #expect(declared["ruby"] == ["minitest", "rake"])
        #expect(declared["java"] == ["junit:junit"])
    }
}
