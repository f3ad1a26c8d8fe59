import Foundation
import Glibc
import Images
import Linux

/// A machine's way to the world: a pair of interfaces, an nftables table of its own, and listeners for its ports.
///
/// What the table refuses: this host, link-local and metadata addresses, private ranges, and IPv6 altogether; what it lets through of those: the host's
/// resolvers, its registries and proxies, and what the machine was allowed. Everything bears the machine's id, so what a dead keeper left can be found.
final class MachineNetwork: Sendable {
    /// Benchmarking addresses (RFC 2544), which nobody routes: four for each machine.
    private static let firstAddress: UInt32 = 198 << 24 | 18 << 16
    private static let ranges: UInt32 = 32768

    private let id: String
    private let listeners: [PortListener]

    /// The addresses that a machine gets.
    struct Addresses: Sendable, Equatable {
        var host: String
        var machine: String
    }

    /// Brings the namespace's network up.
    ///
    /// - Parameters:
    ///   - id: the machine's.
    ///   - addresses: from ``reserve(id:)``, which has made the interfaces; nil: no network but the machine's own loopback.
    static func attach(
        id: String, namespace: Descriptor, addresses: Addresses?, allow: [String], configuration: HostConfiguration, ports: [MachineDefaults.Port]
    ) throws -> MachineNetwork {
        guard let addresses else {
            try inside(namespace, "link set lo up\n")
            if let port = ports.first {
                throw MachineError(
                    "invalid", "port \(port.host) cannot lead to a machine without a network", fix: "leave out its ports, or say `--network open`")
            }
            return MachineNetwork(id: id, listeners: [])
        }
        do {
            let rules = try NetworkRules(
                interface: interface(id), addresses: addresses, resolvers: configuration.resolvers, hosts: configuration.hosts, allow: allow)
            if rules.needsLocalRouting { try writeSmallFile("/proc/sys/net/ipv4/conf/\(interface(id))/route_localnet", "1") }
            try run(Command("nft", ["-f", "-"]), input: rules.text(table: table(id)), doing: "set up the machine's packet filter")
            try inside(
                namespace,
                "link set lo up\naddr add \(addresses.machine)/30 dev eth0\nlink set eth0 up\nroute add default via \(addresses.host)\n")
            if (readSmallFile("/proc/sys/net/ipv4/ip_forward") ?? "").first == "0" { try writeSmallFile("/proc/sys/net/ipv4/ip_forward", "1") }
            return MachineNetwork(id: id, listeners: try ports.map { try PortListener($0, address: addresses.machine) })
        } catch {
            try detach(id: id)
            throw error
        }
    }

    private init(id: String, listeners: [PortListener]) { (self.id, self.listeners) = (id, listeners) }

    /// Makes the pair of interfaces, with addresses that nobody else has.
    static func reserve(id: String, namespace: Descriptor) throws -> Addresses {
        try FileManager.default.createDirectory(atPath: "/run/terrine", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        // The interfaces that are there say which addresses are taken; the lock is for the time between looking and making.
        let lock = try FileLock("/run/terrine/network.lock")
        defer { withExtendedLifetime(lock) {} }
        let taken = try hostAddresses()
        var range = UInt32.random(in: 0..<ranges)
        for _ in 0..<ranges where taken.contains(where: { $0 & ~3 == firstAddress + range * 4 }) { range = (range + 1) % ranges }
        let first = firstAddress + range * 4
        let addresses = Addresses(host: text(first + 1), machine: text(first + 2))
        var command = Command("ip", ["-batch", "-"])
        command.descriptors[3] = namespace.raw
        try run(
            command,
            input:
                "link add \(interface(id)) type veth peer name eth0 netns /proc/self/fd/3\naddr add \(addresses.host)/30 dev \(interface(id))\nlink set \(interface(id)) up\n",
            doing: "make the machine's network interfaces")
        return addresses
    }

    func detach() throws {
        for listener in listeners { listener.close() }
        try Self.detach(id: id)
    }

    /// Takes away what bears this id; nothing is no error.
    static func detach(id: String) throws {
        let known = access("/sys/class/net/\(interface(id))", F_OK) == 0
        guard known else { return }
        // The table first: while it is there, packets are refused.
        _ = try Command("ip", ["link", "delete", interface(id)]).capture()
        _ = try Command("nft", ["delete", "table", "inet", table(id)]).capture()
    }

    private static func interface(_ id: String) -> String { "tr" + id.prefix(12) }
    private static func table(_ id: String) -> String { "terrine_" + id }

    private static func text(_ address: UInt32) -> String { (0..<4).map { String(address >> (24 - 8 * UInt32($0)) & 255) }.joined(separator: ".") }

    private static func hostAddresses() throws -> [UInt32] {
        var list: UnsafeMutablePointer<ifaddrs>?
        try check("list", "this host's addresses") { getifaddrs(&list) }
        defer { freeifaddrs(list) }
        var found: [UInt32] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET) {
                found.append(address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt32(bigEndian: $0.pointee.sin_addr.s_addr) })
            }
            next = entry.pointee.ifa_next
        }
        return found
    }

    /// Commands of `ip` in the machine's namespace.
    private static func inside(_ namespace: Descriptor, _ batch: String) throws {
        var command = Command("nsenter", ["--net=/proc/self/fd/3", "ip", "-batch", "-"])
        command.descriptors[3] = namespace.raw
        try run(command, input: batch, doing: "set up the machine's network")
    }

    private static func run(_ command: Command, input: String, doing what: String) throws {
        let result: CapturedOutput
        do { result = try command.capture(input: input) } catch let error as LinuxError where error.code == ENOENT {
            throw MachineError(
                "missing", "this host has no `\(command.program)`, without which it cannot \(what)",
                fix: "`terrine doctor` tells which package has it; `--network none` needs none")
        }
        if result.status != .exited(0) {
            throw MachineError(
                "network", "`\(command.program)` cannot \(what)", cause: result.errors.trimmingCharacters(in: .whitespacesAndNewlines),
                fix: "`terrine doctor` tells what this host lacks; `--network none` needs nothing")
        }
    }
}
