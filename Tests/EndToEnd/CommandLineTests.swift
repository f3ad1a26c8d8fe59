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
            for (name, found) in [("libcurl", "libcurl/"), ("qemu-img", "qemu-img version")] {
                #expect(report.checks.contains { $0.name == name && ($0.status == "warning" || $0.found.hasPrefix(found)) }, "\(name)")
            }
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

    private struct Help: Decodable {
        struct Command: Decodable {
            let commandName: String
            let subcommands: [Command]?
            let arguments: [Argument]?
        }
        struct Argument: Decodable {
            struct Name: Decodable {
                let kind: String
                let name: String
            }
            let names: [Name]?
        }
        let command: Command
    }

    @Test("Docs/commands.md has every command with every option, and none that is not there")
    func documented() throws {
        let page = try String(contentsOfFile: "Docs/commands.md", encoding: .utf8)
        let sections = page.components(separatedBy: "\n### ").dropFirst()
        let shared = page.components(separatedBy: "\n### ").first.map { [$0] } ?? []
        let ofMachines = sections.filter { $0.hasPrefix("Options of a machine") }
        try Home.with { home in
            let help = try home.terrine("--experimental-dump-help", expect: 0).json(Help.self)
            let commands = (help.command.subcommands ?? []).filter { $0.commandName != "help" }
            let titles = sections.filter { $0.hasPrefix("`") }.compactMap { $0.split(separator: "`").first.map(String.init) }
            #expect(Set(titles) == Set(commands.map(\.commandName)))
            for command in commands {
                let own = sections.filter { $0.hasPrefix("`\(command.commandName)`") }
                let text = (own + shared + (own.first?.contains("#options-of-a-machine") == true ? ofMachines : [])).joined()
                for name in (command.arguments ?? []).flatMap({ $0.names ?? [] }) where name.kind == "long" && !["help", "version"].contains(name.name) {
                    #expect(text.contains("--\(name.name)"), "\(command.commandName) --\(name.name) is not documented")
                }
                let known = Set((command.arguments ?? []).flatMap { $0.names ?? [] }.map(\.name))
                for line in (own.first ?? "").split(separator: "\n") where line.hasPrefix("| `-") {
                    let long = line.split(separator: "`").first { $0.hasPrefix("--") }.map { $0.dropFirst(2).prefix { $0 != " " } }
                    if let long { #expect(known.contains(String(long)), "\(command.commandName) has no --\(long)") }
                }
            }
        }
    }
}
