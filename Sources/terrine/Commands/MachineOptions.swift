import ArgumentParser
import Foundation
import Images
import Machines
import Recipes

/// What `run`, `start` and `restore` ask of a machine.
struct MachineOptions: ParsableArguments {
    @Option(
        name: [.customShort("e"), .customLong("env")],
        help: ArgumentHelp("A variable of the machine's processes; `KEY` alone takes this process's.", valueName: "KEY=VALUE"))
    var environment: [String] = []

    @Option(name: [.customShort("v"), .customLong("volume")], help: ArgumentHelp("A file or folder of this host in the machine.", valueName: "SRC:DST[:ro]"))
    var volumes: [String] = []

    @Option(
        name: [.customShort("p"), .customLong("publish")],
        help: ArgumentHelp("A port of this host that leads to one of the machine's.", valueName: "HOST:MACHINE"))
    var ports: [String] = []

    @Option(help: "`open` (the internet; not this host nor private ranges) or `none`.")
    var network: String?

    @Option(help: ArgumentHelp("With an open network: what else it may reach.", valueName: "HOST[:PORT]|CIDR"))
    var allow: [String] = []

    @Option(name: [.customShort("u"), .long], help: ArgumentHelp("Who runs its processes.", valueName: "NAME|UID[:GID]"))
    var user: String?

    @Option(help: "Processors' worth of time, such as 1.5.")
    var cpus: Double?

    @Option(help: "Memory, such as 512MiB.")
    var memory: String?

    @Option(help: "The disk's size, such as 32GiB; at least the image's.")
    var disk: String?

    @Option(help: "How many processes and threads it may have.")
    var pids: Int?

    @Option(help: ArgumentHelp("Let `terrine gc` remove the machine after so long, even while it runs.", valueName: "duration"))
    var ttl: String?

    @Flag(help: "Start it although the image is foreign: the host's kernel then mounts what a stranger wrote.")
    var trust = false

    @OptionGroup var signature: SignatureOptions

    @Option(help: "The OCI runtime's program.")
    var runtime = "runc"

    func spec(_ image: Image, reference: String, in images: ImageStore) throws -> MachineSpec {
        try signature.check(image, images)
        var spec = MachineSpec(image: image)
        spec.imageReference = reference
        spec.environment = try EnvironmentArgument.parse(environment)
        spec.binds = try volumes.map(Self.bind)
        spec.ports = try ports.map(Self.port)
        spec.network = try networkChoice()
        (spec.user, spec.cpus, spec.pids, spec.runtime) = (user, cpus, pids, runtime)
        spec.trustsImage = trust
        if let cpus, cpus <= 0 { throw ValidationError("--cpus \(cpus): there must be some") }
        if let pids, pids < 1 { throw ValidationError("--pids \(pids): there must be at least one") }
        spec.timeToLive = try ttl.map(DurationArgument.parse)
        spec.memory = try memory.map { try Self.bytes($0, option: "--memory") }
        spec.diskSize = try disk.map { try Self.bytes($0, option: "--disk") }
        return spec
    }

    private func networkChoice() throws -> NetworkChoice? {
        switch network {
        case nil: return allow.isEmpty ? nil : .open(allow: allow)
        case "none":
            guard allow.isEmpty else { throw ValidationError("--allow opens nothing with --network none") }
            return NetworkChoice.none
        case "open": return .open(allow: allow)
        case let other?: throw ValidationError("--network \(other): it is `open` or `none`")
        }
    }

    static func bytes(_ text: String, option: String) throws -> Int64 {
        guard let bytes = Quantities.bytes(text), bytes > 0 else { throw ValidationError("\(option) \(text): it is a size such as 512MiB or 16GiB") }
        return bytes
    }

    private static func bind(_ text: String) throws -> Bind {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3 && ["ro", "rw"].contains(parts[2]), !parts[0].isEmpty, parts[1].hasPrefix("/") else {
            throw ValidationError("-v \(text): it is SRC:DST or SRC:DST:ro, with an absolute DST")
        }
        return Bind(source: URL(fileURLWithPath: parts[0]).path, target: parts[1], readOnly: parts.count == 3 && parts[2] == "ro")
    }

    private static func port(_ text: String) throws -> MachineDefaults.Port {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt16($0) }
        guard parts.count == 2, let host = parts[0], let machine = parts[1], host > 0, machine > 0 else {
            throw ValidationError("-p \(text): it is HOST:MACHINE, two ports")
        }
        return MachineDefaults.Port(host: host, machine: machine)
    }
}

/// `-e` as Docker has it.
enum EnvironmentArgument {
    static func parse(_ arguments: [String]) throws -> [String: String] {
        var result: [String: String] = [:]
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard !parts[0].isEmpty else { throw ValidationError("-e \(argument): a variable needs a name") }
            if parts.count == 2 { result[parts[0]] = parts[1] } else if let value = ProcessInfo.processInfo.environment[parts[0]] { result[parts[0]] = value }
        }
        return result
    }
}
