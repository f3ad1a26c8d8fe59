import ArgumentParser
import Foundation
import Machines

/// What commands that act on several machines one after the other share.
enum EachMachine {
    private struct Result: Encodable {
        var machines: [String]
    }

    static func perform(_ names: [String], _ global: GlobalOptions, _ body: (Machine) throws -> Void) throws {
        let host = try global.machines()
        for name in names { try body(try host.machine(name)) }
        try global.print(Result(machines: names)) { names.joined(separator: "\n") }
    }
}

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stop", abstract: "Stop machines; their disks stay.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machines.", completion: .machines)
    var machines: [String]

    @Option(help: ArgumentHelp("What their processes get before they are killed.", valueName: "duration"))
    var grace = "10s"

    func run() throws {
        let grace = try DurationArgument.parse(grace)
        try EachMachine.perform(machines, global) { try $0.stop(grace: grace / .seconds(1)) }
    }
}

struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove machines, with their disks.", discussion: "Running ones are killed. Checkpoints of them are images, and stay.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machines.", completion: .machines)
    var machines: [String] = []

    @Flag(help: "All of them.")
    var all = false

    @Flag(name: .shortAndLong, help: "A machine that is not there is no error.")
    var force = false

    func validate() throws {
        if machines.isEmpty != all { throw ValidationError("name the machines, or say --all") }
    }

    func run() throws {
        let host = try global.machines()
        let names = all ? try host.machines().map(\.name) : machines
        var removed: [String] = []
        for name in names {
            do {
                try host.machine(name).remove()
                removed.append(name)
            } catch let error as MachineError where error.code == "notFound" && force { continue }
        }
        try global.print(["machines": removed]) { removed.joined(separator: "\n") }
    }
}

struct Hibernate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hibernate", abstract: "Stop machines so that their disks take little room.",
        discussion: "`terrine resume` starts them again, from their disks; processes are not kept.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machines.", completion: .machines)
    var machines: [String]

    func run() throws { try EachMachine.perform(machines, global) { try $0.hibernate() } }
}

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "Start machines again that were stopped, hibernated or lost.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machines.", completion: .machines)
    var machines: [String]

    func run() throws { try EachMachine.perform(machines, global) { try $0.resume() } }
}

struct Wait: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until machines do not run any more.", discussion: "Exits with 1 when one still runs after --timeout.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machines.", completion: .machines)
    var machines: [String]

    @Option(help: "How long at most, for each.")
    var timeout: String?

    private struct Result: Encodable {
        var stopped: [String]
        var running: [String]
    }

    func run() throws {
        let host = try global.machines()
        let limit = try timeout.map(DurationArgument.parse)
        var result = Result(stopped: [], running: [])
        for name in machines {
            if try host.machine(name).wait(timeout: limit) { result.stopped.append(name) } else { result.running.append(name) }
        }
        try global.print(result) { result.stopped.joined(separator: "\n") }
        if !result.running.isEmpty { throw ExitCode(1) }
    }
}

struct UpgradeSupervisors: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade-supervisors", abstract: "Let disk servers of this program take the places of those of running machines.",
        discussion: "The machines run on: what they read or write meanwhile waits for some milliseconds, and nothing is lost. All of them if you name none.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machines.", completion: .machines)
    var machines: [String] = []

    func run() throws {
        let host = try global.machines()
        let names = try machines.isEmpty ? host.machines().filter { try $0.state == .running }.map(\.name) : machines
        try EachMachine.perform(names, global) { try $0.upgradeSupervisor() }
    }
}
