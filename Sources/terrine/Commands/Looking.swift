import ArgumentParser
import Foundation
import Machines

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "List the machines.",
        discussion: "A machine is `lost` when its keeper was killed: `terrine resume` starts it again from its disk.")

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "Names only.")
    var names = false

    private struct Result: Encodable {
        var machines: [Machine.Summary]
    }

    func run() throws {
        let machines = try global.machines().machines { global.note("\($0)") }.map { try $0.summary() }
        try global.print(Result(machines: machines)) {
            if names { return machines.map(\.name).joined(separator: "\n") }
            let rows = machines.map { machine in
                let pid = machine.pid.map { String($0) } ?? "-"
                return [
                    machine.name, machine.state.rawValue, machine.image, pid, bytesText(machine.diskBytes), machine.created,
                    machine.parent ?? "",
                ]
            }
            return TextTable.render(["NAME", "STATE", "IMAGE", "PID", "DISK", "CREATED", "PARENT"], rows)
        }
    }
}

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "logs", abstract: "Print what a machine's services and first process said.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The machine.", completion: .machines)
    var machine: String

    @Option(help: "Only this service's.")
    var service: String?

    @Flag(name: .shortAndLong, help: "Go on until the machine ends.")
    var follow = false

    func run() throws {
        try global.machines().machine(machine).logs(service: service, follows: follow) { line in
            Swift.print(line)
            fflush(nil)
        }
    }
}

struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp", abstract: "Copy files between this host and a running machine.",
        discussion: "A path in a machine is MACHINE:/PATH. Folders are copied with all that is in them.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("What to copy.", valueName: "source"))
    var source: String

    @Argument(help: ArgumentHelp("Where to.", valueName: "target"))
    var target: String

    private struct Result: Encodable {
        var source: String
        var target: String
    }

    func run() throws {
        let host = try global.machines()
        switch (Self.inMachine(source), Self.inMachine(target)) {
        case (nil, let (name, path)?): try host.machine(name).copyIn(source, to: path)
        case (let (name, path)?, nil): try host.machine(name).copyOut(path, to: target)
        default: throw ValidationError("one of the two is a path in a machine, MACHINE:/PATH, the other one of this host")
        }
        try global.print(Result(source: source, target: target)) { "" }
    }

    private static func inMachine(_ text: String) -> (name: String, path: String)? {
        guard let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/"), colon != text.startIndex else { return nil }
        let path = String(text[text.index(after: colon)...])
        return (String(text[..<colon]), path.hasPrefix("/") ? path : "/" + path)
    }
}
