import ArgumentParser
import Foundation
import Images
import Linux
import Machines
import Recipes

struct Run: ParsableCommand, RunsCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a command in a fresh machine, and discard it.",
        discussion: "The command's exit code is this one's. IMAGE may be a folder with a recipe: it is built if need be.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var machine: MachineOptions

    @Argument(help: ArgumentHelp("An image, or a folder with a recipe.", valueName: "image|dir"), completion: .images)
    var image: String

    @Option(help: ArgumentHelp("Keep the machine under this name when the command has ended.", valueName: "name"))
    var name: String?

    @Flag(help: "Discard the machine; this is what happens unless it has a name.")
    var rm = false

    @Flag(name: .shortAndLong, help: "A terminal for the command.")
    var tty = false

    @Option(name: .customLong("cwd"), help: "The command's working folder.")
    var workingFolder: String?

    @Option(help: ArgumentHelp("Kill it after so long, such as 90s.", valueName: "duration"))
    var timeout: String?

    @Flag(inversion: .prefixedNo, help: "Start the image's services first.")
    var services = true

    @Argument(parsing: .postTerminator, help: "The command; what an imported image runs by itself when you give none.")
    var command: [String] = []

    func run() throws {
        // No recipe says what its image runs by itself: nothing is built in vain.
        let noCommand = ValidationError("there is no command: say it after `--`")
        if command.isEmpty, ImageArgument.isRecipe(image) { throw noCommand }
        let host = try global.machines()
        let resolved = try ImageArgument.resolve(image, global, host.images, trusts: machine.trust)
        guard let command = self.command.isEmpty ? resolved.machine.command : self.command else { throw noCommand }
        var spec = try machine.spec(resolved, reference: image, in: host.images)
        spec.name = name
        spec.startsServices = services
        spec.isTransient = name == nil || rm
        var exec = ExecSpec(command)
        (exec.workingFolder, exec.terminal) = (workingFolder, tty)
        exec.timeout = try timeout.map(DurationArgument.parse)
        throw ExitCode(try host.run(spec, exec).code)
    }
}

/// `90s`, `5m`.
enum DurationArgument {
    static func parse(_ text: String) throws -> Duration {
        guard let duration = Quantities.duration(text) else { throw ValidationError("`\(text)` is no duration such as 90s or 5m") }
        return duration
    }
}
