import ArgumentParser
import Foundation
import Machines

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Tell what this host can do, what is missing, and the command that mends it.",
        discussion: "Mounts a small disk in a namespace of its own to find out. The exit code is 1 when no machine can run here.")

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let report = HostReport.make(home: global.homeFolder)
        try global.print(report) {
            let rows = report.checks.map { [$0.status.rawValue, $0.name, $0.found] }
            let lines = TextTable.render(["", "WHAT", "FOUND"], rows).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let width = 9
            var text = lines[0]
            for (line, check) in zip(lines.dropFirst(), report.checks) {
                text += "\n" + line
                if let fix = check.fix { text += "\n" + String(repeating: " ", count: width) + "fix: " + fix }
            }
            return text + "\n" + (report.ready ? "machines can run here" : "no machine can run here until what is missing is there")
        }
        if !report.ready { throw ExitCode(1) }
    }
}
