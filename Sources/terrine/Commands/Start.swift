import ArgumentParser
import Machines

struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a machine from an image.",
        discussion: "Returns when its services are ready. The machine runs until `terrine stop` or `terrine rm`, whatever happens to this terminal.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var machine: MachineOptions

    @Argument(help: ArgumentHelp("An image: `name[:tag]` or a digest.", valueName: "image"), completion: .images)
    var image: String

    @Option(help: "The machine's name; one is drawn if you give none.")
    var name: String?

    @Flag(inversion: .prefixedNo, help: "Start the image's services.")
    var services = true

    func run() throws {
        let host = try global.machines()
        var spec = try machine.spec(try host.images.resolve(image), reference: image, in: host.images)
        spec.name = name
        spec.startsServices = services
        try StartedMachine.tell(try host.start(spec), global)
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Start a machine from a checkpoint.",
        discussion: "The same as `start` with a name that must be given: a checkpoint is an image. To go back in place, see `rollback`.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var machine: MachineOptions

    @Argument(help: ArgumentHelp("The checkpoint: `name[:tag]` or a digest.", valueName: "image"), completion: .images)
    var image: String

    @Option(help: "The machine's name.")
    var name: String

    func run() throws {
        let host = try global.machines()
        var spec = try machine.spec(try host.images.resolve(image), reference: image, in: host.images)
        spec.name = name
        try StartedMachine.tell(try host.start(spec), global)
    }
}

/// How a machine that now runs is told.
enum StartedMachine {
    private struct Result: Encodable {
        var machine: Machine.Summary
        var services: [ServiceReport]
    }

    static func tell(_ machine: Machine, _ global: GlobalOptions) throws {
        let summary = try machine.summary()
        try global.print(Result(machine: summary, services: try machine.services())) { machine.name }
    }
}
