import Foundation
import Testing

@Suite("The command line", .serialized)
struct CommandLineTests {
    private struct ErrorObject: Decodable {
        struct Parts: Decodable {
            let code: String
            let message: String
            let fix: String?
        }
        let error: Parts
    }

    @Test("the version is told to people and to programs")
    func version() throws {
        try Home.with { home in
            let text = try home.terrine("version", expect: 0).output
            #expect(text.hasPrefix("terrine "))
            let version = try home.terrine("version", "--json", expect: 0).json([String: String].self)["version"]
            #expect(text == "terrine \(version ?? "?")\n")
            #expect(try home.terrine("--version", expect: 0).output == "\(version ?? "?")\n")
        }
    }

    @Test("wrong usage is told on the error stream with exit code 2, and as an object with --json")
    func usage() throws {
        try Home.with { home in
            for arguments in [["nonsense"], ["version", "--nonsense"], ["plan", "--set"]] {
                let run = try home.terrine(arguments, expect: 2)
                #expect(run.output.isEmpty)
                #expect(run.errors.contains("Usage: terrine"))
            }
            let run = try home.terrine("version", "--nonsense", "--json", expect: 2)
            #expect(try run.json(ErrorObject.self).error.code == "usage")
            #expect(run.errors.isEmpty)
        }
    }

    @Test("doctor tells what this host can do, with a fix for everything that is missing")
    func doctor() throws {
        struct Report: Decodable {
            struct Check: Decodable {
                let name: String
                let status: String
                let found: String
                let fix: String?
            }
            let checks: [Check]
            let ready: Bool
        }
        try Home.with { home in
            let run = try home.terrine("doctor", "--json")
            let report = try run.json(Report.self)
            #expect(run.code == (report.ready ? 0 : 1))
            #expect(report.checks.map(\.name).starts(with: ["root", "kernel", "runc"]))
            for check in report.checks where check.status == "missing" { #expect(check.fix != nil, "\(check.name): \(check.found)") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: home.path).isEmpty)
            if ProcessInfo.processInfo.environment["CI"] != nil { #expect(report.ready, "\(run.output)") }
        }
    }

    @Test("every problem of a recipe is told with its place, and the exit code is 2")
    func badRecipe() throws {
        try Home.with { home in
            try home.write("work/terrine.yaml", "version: 1\nname: broken\nbas: debian-bookworm\nsteps: 3\n")
            let run = try home.terrine("plan", home.path + "/work", expect: 2)
            #expect(run.errors.contains("terrine.yaml:3:1"))
            #expect(run.errors.contains("terrine.yaml:4:"))
        }
    }
}
