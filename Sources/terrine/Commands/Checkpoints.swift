import ArgumentParser
import Foundation
import Images
import Machines

struct CheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Make an image of a machine's disk, while it runs on.",
        discussion: "The machine pauses for milliseconds; the command returns when the image is durable. Processes and memory file systems are not in it.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machine.", completion: .machines)
    var machine: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The image's name.", valueName: "name[:tag]"))
    var tag: String?

    @Flag(name: .customLong("async"), help: "Return at once; the image is packed by another process.")
    var inBackground = false

    func run() throws {
        let checkpoint = try global.machines().machine(machine).checkpoint(as: tag, inBackground: inBackground)
        try global.print(checkpoint) {
            let name = checkpoint.image ?? checkpoint.digest ?? checkpoint.id
            let pause = "paused \(checkpoint.pauseMilliseconds.formatted(.number.precision(.fractionLength(1)))) ms"
            guard let durable = checkpoint.durableMilliseconds else { return "\(name) is being packed (\(pause))" }
            return "\(name) (\(pause), durable after \(durable.formatted(.number.precision(.fractionLength(0)))) ms)"
        }
    }
}

struct Fork: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fork", abstract: "Start machines from another's exact disk.",
        discussion: "Not taken along: running processes, what is in /run, /dev/shm and other memory file systems, and published ports.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("The machine, or an image.", valueName: "machine|image"), completion: .machinesAndImages)
    var machine: String

    @Option(help: "The fork's name; with -n, names are NAME-1, NAME-2 and so on.")
    var name: String?

    @Option(name: [.customShort("n"), .long], help: "How many.")
    var count = 1

    @Option(help: ArgumentHelp("Let `terrine gc` remove the forks after so long, even while they run.", valueName: "duration"))
    var ttl: String?

    @Flag(help: "Of an image: start it although it is foreign; the host's kernel then mounts what a stranger wrote.")
    var trust = false

    @OptionGroup var signature: SignatureOptions

    func validate() throws {
        if !(1...1000).contains(count) { throw ValidationError("-n \(count): between 1 and 1000") }
    }

    private struct Result: Encodable {
        var machines: [Machine.Summary]
        var notTakenAlong: [String]
        var diskMilliseconds: Double?
    }

    func run() throws {
        let host = try global.machines()
        let names = (1...count).map { index in name.map { count == 1 ? $0 : "\($0)-\(index)" } }
        let forks: Forks
        let timeToLive = try ttl.map(DurationArgument.parse)
        do {
            forks = try host.machine(machine).fork(names, timeToLive: timeToLive)
        } catch let error as MachineError where error.code == "notFound" {
            // Not a machine: then an image, of which every start is a fork.
            guard let image = try? host.images.resolve(machine) else { throw error }
            try signature.check(image, host.images)
            forks = Forks(
                try names.map {
                    var spec = MachineSpec(image: image)
                    (spec.name, spec.imageReference, spec.timeToLive, spec.trustsImage) = ($0, machine, timeToLive, trust)
                    return try host.start(spec)
                })
        }
        global.note("not taken along: running processes, /run, /dev/shm, published ports")
        let result = Result(
            machines: try forks.machines.map { try $0.summary() }, notTakenAlong: ["processes", "memory file systems", "ports"],
            diskMilliseconds: forks.diskMilliseconds)
        try global.print(result) {
            forks.machines.map(\.name).joined(separator: "\n")
        }
    }
}

struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Take a machine's disk back, in place.",
        discussion: "To its last checkpoint, or else to what it started from. Its processes end, its services start again.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machine.", completion: .machines)
    var machine: String

    @Option(help: "The image to go back to.", completion: .images)
    var to: String?

    @OptionGroup var signature: SignatureOptions

    func run() throws {
        let host = try global.machines()
        let target = try to.map(host.images.resolve)
        if let target { try signature.check(target, host.images) }
        let machine = try host.machine(machine)
        try machine.rollBack(to: target)
        try StartedMachine.tell(machine, global)
    }
}

struct Promote: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote", abstract: "Let a fork take its parent's place.",
        discussion:
            "The parent's name, settings and ports stay; its disk becomes the fork's. What the parent was is kept as the image PARENT:before-FORK. Both restart."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The fork.")
    var fork: String

    private struct Result: Encodable {
        var machine: Machine.Summary
        var replaced: String
    }

    func run() throws {
        let (machine, replaced) = try global.machines().machine(fork).promote()
        try global.print(Result(machine: try machine.summary(), replaced: replaced)) {
            "\(machine.name) is now what \(fork) was; what it was before is \(replaced)"
        }
    }
}
