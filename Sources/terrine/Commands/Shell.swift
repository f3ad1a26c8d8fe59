import ArgumentParser
import Foundation
import Machines

struct Shell: ParsableCommand, RunsCommand {
    static let configuration = CommandConfiguration(abstract: "Open a shell in a running machine.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machine.")
    var machine: String

    @Option(name: [.customShort("u"), .long], help: ArgumentHelp("Whose shell.", valueName: "NAME|UID[:GID]"))
    var user: String?

    @Option(name: .customLong("cwd"), help: "Its working folder.")
    var workingFolder: String?

    func run() throws {
        throw try ExitCode(ShellSession.open(global.machines().machine(machine), user: user, workingFolder: workingFolder))
    }
}

/// A person's shell in a machine: with a terminal when there is one, else reading commands from the input.
enum ShellSession {
    static func open(_ machine: Machine, user: String? = nil, workingFolder: String? = nil) throws -> Int32 {
        // bash where there is one, for a person; every image has sh.
        var exec = ExecSpec(["/bin/sh", "-c", "if command -v bash >/dev/null; then exec bash; fi; exec sh"])
        (exec.user, exec.workingFolder) = (user, workingFolder)
        exec.terminal = isatty(0) == 1 && isatty(1) == 1
        return try machine.run(exec).code
    }
}
