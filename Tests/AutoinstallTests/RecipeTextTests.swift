import Foundation
import Testing

@testable import Autoinstall
@testable import Recipes

@Suite struct RecipeTextTests {
    private func apply(_ patches: [RecipePatch], to text: String, check: String? = nil, why: String = "because") throws -> String {
        var text = text
        for patch in patches {
            var edited = RecipeText(text)
            try edited.apply(patch, .init(recipe: try parse(text), check: check), why: why)
            text = edited.text
            _ = try parse(text)
        }
        return text
    }

    private func parse(_ text: String) throws -> Recipe {
        try withFolder(["requirements.txt": "attrs\n"]) { try Recipe.parse(text, file: "terrine.yaml", folder: $0) }
    }

    private let block = """
        # A shop.
        version: 1
        name: shop
        base: debian-bookworm  # the usual

        packages:
          apt:
            - git  # for versions
            # two more would do no harm
          pip:
            requirements: requirements.txt

        # What it is told.
        env:
          PGHOST: localhost
        checks:
          - name: tests
            run: |
              make
              # then
              make check
            timeout: 5m
          - { name: help, run: shop --help }

        """

    @Test("an entry goes to the end of its list, with its reason, and every other line stays")
    func lists() throws {
        let new = try apply([.package(manager: "apt", name: "jq"), .variable(name: "LANG", value: "C.UTF-8")], to: block)
        #expect(new.contains("    - git  # for versions\n    - jq  # because\n    # two more"))
        #expect(new.contains("  PGHOST: localhost\n  LANG: C.UTF-8  # because\nchecks:"))
        let kept = Set(new.split(separator: "\n"))
        #expect(block.split(separator: "\n").allSatisfy(kept.contains))
    }

    @Test("a section that is not there is made where recipes have it")
    func sections() throws {
        let new = try apply([.step(name: "add x", run: "one\ntwo")], to: block)
        let steps = try #require(new.range(of: "steps:\n  - name: add x  # because\n    run: |\n      one\n      two\nchecks:"))
        #expect(new[..<steps.lowerBound].hasSuffix("  PGHOST: localhost\n"))
        let bare = try apply([.package(manager: "pip", name: "pytest")], to: "version: 1\nname: x\nbase: debian-bookworm\n")
        #expect(bare.contains("packages:\n  pip:\n    - pytest  # because\n") && bare.contains("- python3-venv  # for pip"))
    }

    @Test("a mapping of a manager gets the list that it lacks, and a requirement the version that it lacks")
    func managers() throws {
        let listed = try apply([.package(manager: "pip", name: "pytest")], to: block)
        #expect(listed.contains("    requirements: requirements.txt\n    packages:\n      - pytest  # because\n"))
        let versioned = try apply([.package(manager: "pip", name: "pytest>=7")], to: listed)
        #expect(versioned.contains("      - pytest>=7  # because\n") && !versioned.contains("- pytest  #"))
        #expect(throws: RecipeText.Refusal.self) { try apply([.package(manager: "apt", name: "git")], to: block) }
    }

    @Test("what stands in brackets stays in brackets, with the reason above")
    func brackets() throws {
        let flow = "version: 1\nname: x\nbase: debian-bookworm\npackages: { apt: [git, 'jq'] }  # few\nenv: {}\nchecks: [{ name: a, run: \"true\" }]\n"
        let new = try apply([.package(manager: "apt", name: "make"), .variable(name: "A", value: "b: c")], to: flow)
        #expect(new.contains("# because\npackages: { apt: [git, 'jq', make] }  # few\n") && new.contains("env: { A: \"b: c\"}"))
        let wrapped = try apply([.goalPrefix("ulimit -n 4096")], to: flow, check: "a")
        #expect(wrapped.contains(#"run: "ulimit -n 4096\ntrue""#))
    }

    @Test("a goal's command is wrapped where it stands, block or line")
    func goals() throws {
        let new = try apply([.goalPrefix("ulimit -n 4096")], to: block, check: "tests")
        #expect(new.contains("    run: |  # because\n      ulimit -n 4096\n      make\n      # then\n      make check\n    timeout: 5m\n"))
        let user = try apply([.goalUser("tester")], to: block, check: "help")
        #expect(try parse(user).checks[1].run.hasSuffix("/bin/sh -e -c 'shop --help'"))
    }

    @Test("a service comes with its packages and variables; a second database joins the first")
    func services() throws {
        let new = try apply([.service(name: "postgresql", database: "shop", user: nil, host: "db")], to: block, check: "tests")
        let recipe = try parse(new)
        #expect(recipe.services.map(\.name) == ["postgresql"] && recipe.packages["apt"]?.packages.contains("postgresql") == true)
        #expect(recipe.env["PGHOST"] == "localhost" && recipe.env["PGUSER"] == "postgres" && recipe.checks[0].run.contains("127.0.0.1 db"))
        let more = try apply([.service(name: "postgresql", database: "other", user: nil, host: nil)], to: new)
        let ready = try parse(more).services[0].ready ?? ""
        #expect(ready.contains("createdb -h 127.0.0.1 -U postgres 'shop'") && ready.contains("'other'"))
    }

    @Test("a base of the owner's own, a closed network and a broken name are refused; memory grows")
    func refusals() throws {
        let own = block.replacing("debian-bookworm", with: "oci:example.com/base")
        #expect(throws: RecipeText.Refusal.self) { try apply([.base("debian-trixie")], to: own) }
        #expect(throws: RecipeText.Refusal.self) { try apply([.network(build: true, run: true)], to: block) }
        #expect(throws: RecipeDiagnostics.self) { try apply([.package(manager: "apt", name: "a\n- b")], to: block) }
        #expect(try apply([.base("debian-trixie")], to: block).contains("base: debian-trixie  # because\n"))
        #expect(try apply([.memory(times: 2)], to: block).contains("resources:\n  memory: 4GiB  # because\n"))
    }

    @Test("a reason is one line, whatever a program printed")
    func reasons() throws {
        let new = try apply([.package(manager: "apt", name: "jq")], to: block, why: "a\nbase: evil\u{1b}[2J # b")
        #expect(new.contains("- jq  # a base: evil [2J # b\n"))
        #expect(try parse(new).base == .named("debian-bookworm"))
    }

    @Test("the difference of two texts is one that patch(1) takes")
    func difference() throws {
        let old = (1...20).map { "line \($0)" }.joined(separator: "\n") + "\n"
        let new = old.replacing("line 3\n", with: "line 3\nmore\n").replacing("line 18\n", with: "")
        let diff = UnifiedDiff.text(old, new, name: "terrine.yaml")
        #expect(diff.hasPrefix("--- a/terrine.yaml\n+++ b/terrine.yaml\n@@ -1,6 +1,7 @@\n line 1\n line 2\n line 3\n+more\n line 4\n"))
        #expect(diff.hasSuffix("@@ -15,6 +16,5 @@\n line 15\n line 16\n line 17\n-line 18\n line 19\n line 20\n"))
        #expect(UnifiedDiff.text(nil, "a\n", name: "x") == "--- /dev/null\n+++ b/x\n@@ -0,0 +1,1 @@\n+a\n" && UnifiedDiff.text(old, old, name: "x").isEmpty)
    }
}

@Suite struct HonestyTests {
    @Test(
        "an owner's check is a test by its command or by what it counts",
        arguments: [
            ("python -m pytest -q", "", Goal.Kind.test), ("cd source && make check", "", .test), ("make -j2 test", "", .test), ("go test ./...", "", .test),
            ("prove -r t", "", .test), ("meson test -C build", "", .test), ("make", "", .build), ("pytest --version", "pytest 7.2.1", .build),
            ("jq -f totals.jq orders.json", "", .build), ("make test-data", "", .build), ("./all.sh", "1..1\nok 1 - x\n", .test), ("npm test", "", .test),
        ])
    func kinds(_ command: String, _ output: String, _ kind: Goal.Kind) { #expect(GoalKinds.kind(of: command, output: output) == kind, "\(command)") }

    @Test("at most one test in twenty is left out, all by name, and only where the runner can")
    func quarantine() {
        func lacks(_ count: Int) -> [Lack] { (0..<count).map { Lack(.failingTest, "a.py::t\($0)", evidence: "FAILED", rule: "x") } }
        #expect(Quarantine.candidates(lacks(1), of: TestSummary(.pytest, passed: 19, failed: 1))?.count == 1)
        #expect(Quarantine.candidates(lacks(1), of: TestSummary(.pytest, passed: 18, failed: 1)) == nil)
        #expect(Quarantine.candidates(lacks(1), of: TestSummary(.pytest, passed: 98, failed: 2)) == nil)
        #expect(Quarantine.candidates([], of: TestSummary(.pytest, passed: 98, failed: 2)) == nil)
        #expect(Quarantine.command("pytest", without: ["a.py::t[x y]"], runner: .pytest) == "export PYTEST_ADDOPTS='--deselect=\"a.py::t[x y]\"'\npytest")
        #expect(
            Quarantine.command("npm test", without: ["CLI writes a file.", "x"], runner: .mocha) == "npm test -- --invert --grep '^(CLI writes a file.|x)$'"
                && Quarantine.command("make test", without: ["x"], runner: .mocha) == nil)
        #expect(Quarantine.command("cd b && ctest -V", without: ["a.b", "c"], runner: .ctest) == "cd b && ctest -E '^(a[.]b|c)$' -V")
        #expect(
            Quarantine.command("cd b && cargo test --release", without: ["a::b", "c"], runner: .cargo)
                == "cd b && cargo test --release -- --skip a::b --skip c --exact")
        #expect(Quarantine.command("cargo test -- --nocapture; true", without: ["a"], runner: .cargo) == "cargo test -- --nocapture --skip a --exact; true")
        #expect(Quarantine.command("cargo test parser", without: ["parser::a"], runner: .cargo) == nil)
        #expect(Quarantine.command("./all", without: ["A.b", "C.d/1"], runner: .googletest) == "export GTEST_FILTER=-A.b:C.d/1\n./all")
        #expect(
            Quarantine.command("bundle exec rake test", without: ["A::B#test_c"], runner: .minitest)
                == "export TESTOPTS='--exclude=/^(A::B#test_c)$/'\nbundle exec rake test")
        #expect(Quarantine.command("ruby test/a.rb", without: ["A#test_c"], runner: .minitest) == nil)
        #expect(
            Quarantine.command("pytest", without: ["a'; reboot '"], runner: .pytest) == nil
                && Quarantine.command("prove", without: ["t/a.t"], runner: .prove) == nil)
    }

    @Test("of the distribution's build dependencies its packaging tools and what other builds want are left out")
    func packaging() {
        let stanza = [
            "Build-Depends": "debhelper-compat (= 13), libfoo-dev (>= 1) | libbar-dev, python3-all:any, gcc [armel], dpkg-dev, libdoc <!nodoc>, cross <cross>",
            "Build-Depends-Indep": "dh-python, texinfo",
        ]
        #expect(SourcePackages.names(stanza) == ["libdoc", "libfoo-dev", "python3-all", "texinfo"])
        #expect(SourcePackages.candidates("PyYAML-6.0.1").prefix(3) == ["pyyaml", "pyyaml", "python-pyyaml"])
    }
}
