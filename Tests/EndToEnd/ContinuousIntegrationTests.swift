import Foundation
import Linux
import TestSupport
import Testing

@Suite("Continuous integration", .serialized, .enabled(if: MachineNeeds.met))
struct ContinuousIntegrationTests {
    private struct Report: Decodable {
        struct Named: Decodable {
            let name: String
            let outcome: String
        }
        struct Difference: Decodable {
            struct File: Decodable {
                let path: String
                let change: String
            }
            struct Package: Decodable {
                let name: String
                let change: String
            }
            let since: String
            let files: [File]
            let packages: [Package]
        }
        let passed: Bool
        let images: [String]
        let digest: String?
        let steps: [Named]
        let checks: [Named]
        let difference: Difference?
    }
    private struct Built: Decodable {
        let digest: String
        let unchanged: Bool?
        let reason: String?
        let steps: [BuildTests.Built.Step]
    }

    private static let recipe = """
        steps:
          - { name: compile, run: "cp one.txt /made", inputs: [one.txt] }
        checks:
          - { name: made, run: "cat /made; grep -q good /made" }

        """

    private func git(_ folder: String, _ arguments: String...) throws {
        let settings = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
        let made = try Command("git", ["-C", folder] + settings + arguments).capture()
        try #require(made.status == .exited(0), "git \(arguments): \(made.errors)")
    }

    /// Variables of a CI service that this test itself may run in.
    private static let noService = [
        "GITHUB_HEAD_REF=", "GITHUB_REF_NAME=", "CI_COMMIT_REF_NAME=", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=", "GITHUB_STEP_SUMMARY=",
    ]

    @Test("a job builds a branch, compares it with what it came from, takes its steps from the other's cache, and writes what services show")
    func branches() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.recipe)
            try home.write("work/one.txt", "good\n")
            try home.write("work/.gitignore", "base.tar\n")
            try git(folder, "init", "-q")
            try git(folder, "add", ".")
            try git(folder, "commit", "-qm", "one")
            func ci(_ more: String..., environment: [String] = [], expect: Int32) throws -> Home.Run {
                let files = ["--junit", home.path + "/junit.xml", "--summary", home.path + "/summary.md", "--sbom", home.path + "/bill.json"]
                return try home.terrine(["ci", folder, "--json"] + files + more, environment: Self.noService + environment, expect: expect)
            }

            let first = try ci(expect: 0).json(Report.self)
            #expect(first.passed)
            #expect(first.images.first == "small:branch-main")
            #expect(first.images.last?.wholeMatch(of: /small:commit-[0-9a-f]{12}/) != nil)
            #expect(first.checks.map(\.outcome) == ["passed"])
            #expect(first.difference == nil)
            #expect(try String(contentsOfFile: home.path + "/bill.json", encoding: .utf8).contains("SPDX-2.3"))

            // A branch with one more file: its steps are known, the check is of another image, and the difference is to where it came from.
            try git(folder, "checkout", "-qb", "feature/x")
            try home.write("work/more.txt", "more\n")
            try git(folder, "add", ".")
            try git(folder, "commit", "-qm", "two")
            let page = home.path + "/page.md"
            try "before\n".write(toFile: page, atomically: true, encoding: .utf8)
            let second = try ci("--from-branch", "main", environment: ["GITHUB_STEP_SUMMARY=" + page], expect: 0).json(Report.self)
            #expect(second.images.first == "small:branch-feature-x")
            #expect(second.steps.map(\.outcome) == ["cached", "cached", "done"])
            #expect(second.difference?.since == "small:branch-main")
            #expect(second.difference?.files.contains { $0.path == "workspace/more.txt" && $0.change == "added" } == true)
            #expect(second.difference?.packages.isEmpty == true)
            let told = try String(contentsOfFile: page, encoding: .utf8)
            #expect(told.hasPrefix("before\n## small: passed"))
            #expect(told.contains("workspace/more.txt"))

            // The same again: nothing runs, and the branch is compared with itself.
            let third = try ci("--from-branch", "main", expect: 0).json(Report.self)
            #expect(third.steps.allSatisfy { $0.outcome == "cached" })
            #expect(third.checks.map(\.outcome) == ["known"])
            #expect(third.difference?.since == "small:branch-feature-x")
            #expect(third.difference?.files.isEmpty == true)

            // A check that fails is exit code 1, told in each of the files; the branch's name stays with its last good image.
            try home.write("work/one.txt", "worse\n")
            let bad = try ci(expect: 1)
            #expect(try !bad.json(Report.self).passed)
            #expect(bad.output.contains(#""outcome":"failed""#))
            let junit = try String(contentsOfFile: home.path + "/junit.xml", encoding: .utf8)
            #expect(junit.contains(#"<failure message="ended with 1, not 0""#))
            #expect(junit.contains("worse"))
            #expect(try String(contentsOfFile: home.path + "/summary.md", encoding: .utf8).contains("| made | ❌ ended with 1, not 0 |"))
            #expect(try home.terrine("inspect", "small:branch-feature-x", expect: 0).output.contains(third.digest ?? "?"))

            // A step that fails, and a recipe that is none.
            try home.writeRecipe(Self.recipe.replacingOccurrences(of: "cp one.txt /made", with: "echo not so; exit 7"))
            let failed = try ci(expect: 1).json(Report.self)
            #expect(failed.steps.map(\.outcome) == ["cached", "failed", "pending"])
            #expect(failed.checks.map(\.outcome) == ["pending"])
            try home.writeRecipe("bad: 3\n")
            _ = try ci(expect: 2)
            #expect(try String(contentsOfFile: home.path + "/junit.xml", encoding: .utf8).contains("terrine.yaml:5:1"))
        }
    }

    @Test("an empty runner compares with the branch's last image in the registry; a foreign base needs --trust, also to be traced")
    func emptyRunner() throws {
        let registry = try RegistryProcess()
        let place = "127.0.0.1:\(registry.port)/team/small"
        func ci(_ home: Home, _ text: String) throws -> Report {
            let folder = try home.writeRecipe(Self.recipe)
            try home.write("work/one.txt", text)
            let arguments = ["ci", folder, "--json", "--branch", "main", "--push", place, "--plain-http"]
            return try home.terrine(arguments, environment: Self.noService, expect: 0).json()
        }
        try Home.with { home in
            #expect(try ci(home, "good\n").difference == nil)
            try Home.with { other in
                let report = try ci(other, "good too\n")
                #expect(report.difference?.since == place + ":branch-main")
                #expect(report.difference?.files.map(\.path).sorted() == ["made", "workspace/one.txt"])
                // What it has sent is what the next one compares with.
                try Home.with { third in
                    let files = try ci(third, "good too\n").difference?.files
                    #expect(files?.isEmpty == true)
                }
            }
            // Of a remote that nobody trusts.
            try Home.with { other in
                try other.terrine("pull", place + ":branch-main", "-t", "theirs:1", "--plain-http", expect: 0)
                try other.write("work/terrine.yaml", "version: 1\nname: over\nbase: theirs:1\nsteps: [{ name: s, run: cat one.txt, inputs: [one.txt] }]\n")
                try other.write("work/one.txt", "x\n")
                try other.write("work/extra", "x\n")
                let arguments = ["ci", other.path + "/work", "--branch", "main"]
                #expect(try other.terrine(arguments, environment: Self.noService).errors.contains("is foreign"))
                try other.write(
                    "work/terrine.yaml",
                    "version: 1\nname: over\nbase: theirs:1\nsteps: [{ name: s, run: \"cat one.txt; cat extra || :\", inputs: [one.txt] }]\n")
                try other.terrine(arguments + ["--trust"], environment: Self.noService, expect: 0)
                #expect(try other.terrine("lint", other.path + "/work", "--trace", expect: 1).errors.contains("is foreign"))
                #expect(try other.terrine("lint", other.path + "/work", "--trace", "--trust", expect: 1).output.contains("extra"))
            }
        }
    }

    @Test("--if-changed does nothing while nothing changed, and says what did")
    func ifChanged() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(Self.recipe)
            try home.write("work/one.txt", "good\n")
            func build(_ more: String...) throws -> Built { try home.terrine(["build", folder, "--if-changed", "--json"] + more, expect: 0).json() }
            let first = try build()
            #expect(first.unchanged == false)
            #expect(first.reason == "never built as small:latest")
            let again = try build()
            #expect(again.unchanged == true)
            #expect(again.digest == first.digest)
            #expect(again.steps.isEmpty)
            // Nor does it matter whether the steps' results are still in the cache.
            try home.terrine("gc", "--cache", "0h", expect: 0)
            #expect(try build().unchanged == true)

            #expect(try build("-t", "other:1").reason == "never built as other:1")
            try home.write("work/one.txt", "good enough\n")
            #expect(try build().reason == "compile: input one.txt changed")
            #expect(try build().unchanged == true)
            #expect(try build("-t", "other:1").unchanged == false)
            try home.write("work/README", "hello\n")
            #expect(try build().reason == "workspace: new input README")
            try home.writeRecipe(Self.recipe.replacingOccurrences(of: "-q good", with: "-q go"))
            #expect(try build().reason == "workspace: input terrine.yaml changed")
            try home.terrine("tag", "other:1", "small:latest", expect: 0)
            #expect(try build().reason == "small:latest is another image than the one that was built")
            #expect(try home.terrine("build", folder, "--if-changed", "--no-cache", expect: 2).errors.contains("--if-changed"))
        }
    }

    @Test("the bill of an image is the same at each call, of either format, and valid", .enabled(if: PythonTools.met))
    func bill() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(
                """
                steps:
                  - name: install
                    run: |
                      mkdir -p /var/lib/dpkg /usr/share/doc/a /opt/lib/b-2.dist-info
                      printf 'Package: a\\nStatus: install ok installed\\nVersion: 1-1\\nArchitecture: all\\nMaintainer: A <a@example.com>\\n' > /var/lib/dpkg/status
                      printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\\n\\nFiles: *\\nLicense: Expat\\n' > /usr/share/doc/a/copyright
                      printf 'Name: b\\nVersion: 2\\nLicense: BSD\\n' > /opt/lib/b-2.dist-info/METADATA
                    inputs: []

                """)
            try home.terrine("build", folder, "-t", "it:1", expect: 0)
            for format in ["spdx", "cyclonedx"] {
                let one = try home.terrine("sbom", "it:1", "--format", format, expect: 0).output
                #expect(one == (try home.terrine("sbom", "it:1", "--format", format, expect: 0).output))
                #expect(one.contains("pkg:deb/debian/a@1-1?arch=all"))
                #expect(one.contains("pkg:pypi/b@2"))
                let told = try home.terrine("sbom", "it:1", "--format", format, "-o", home.path + "/\(format).json", "--json", expect: 0).output
                #expect(told.contains(#""packages":2"#))
                #expect(try String(contentsOfFile: home.path + "/\(format).json", encoding: .utf8) == one)
            }
            let tools = try #require(PythonTools.programs)
            // The program knows the format by the file's name.
            try FileManager.default.moveItem(atPath: home.path + "/spdx.json", toPath: home.path + "/it.spdx.json")
            let spdx = try Command(tools + "/pyspdxtools", ["-i", home.path + "/it.spdx.json"]).capture()
            #expect(spdx.status == .exited(0), "\(spdx.errors)")
            let script = """
                import sys
                from cyclonedx.schema import SchemaVersion
                from cyclonedx.validation.json import JsonStrictValidator
                sys.exit(JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()) and 1)
                """
            #expect(try Command(tools + "/python3", ["-c", script, home.path + "/cyclonedx.json"]).capture().status == .exited(0))
            #expect(try home.terrine("sbom", "nothing", expect: 1).errors.contains("there is no image"))
            #expect(try home.terrine("sbom", "it:1", "-o", home.path + "/none/x", expect: 1).errors.contains("its folder is not there"))
        }
    }
}
