import ArgumentParser
import Linux
import Machines

struct Exec: ParsableCommand, RunsCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command in a running machine.",
        discussion:
            "Input, output and errors are this process's, apart from each other; the command's exit code is this one's: 126 for a file that is no program, 127 for none."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machine.", completion: .machines)
    var machine: String

    @Option(
        name: [.customShort("e"), .customLong("env")],
        help: ArgumentHelp("A variable of the command's; `KEY` alone takes this process's.", valueName: "KEY=VALUE"))
    var environment: [String] = []

    @Option(name: [.customShort("u"), .long], help: ArgumentHelp("Who runs it.", valueName: "NAME|UID[:GID]"))
    var user: String?

    @Option(name: .customLong("cwd"), help: "Its working folder.")
    var workingFolder: String?

    @Flag(name: .shortAndLong, help: "A terminal for it.")
    var tty = false

    @Option(help: ArgumentHelp("Kill it after so long, such as 90s.", valueName: "duration"))
    var timeout: String?

    @Argument(parsing: .postTerminator, help: "The command.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("there is no command: say it after `--`") }
    }

    func run() throws {
        var exec = ExecSpec(command)
        exec.environment = try EnvironmentArgument.parse(environment)
        (exec.user, exec.workingFolder, exec.terminal) = (user, workingFolder, tty)
        exec.timeout = try timeout.map(DurationArgument.parse)
        throw ExitCode(try global.machines().machine(machine).run(exec).code)
    }
}
