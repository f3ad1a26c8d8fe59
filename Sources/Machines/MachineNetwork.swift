import CLinux
import Foundation
import Glibc
import Images
import Linux
import Synchronization

/// A machine's network as this host provides it: a pair of virtual devices, an address, packet rules, published ports.
///
/// The machine's end is `eth0`. Every machine sees this host as the same gateway, 169.254.213.1, and nothing is served there but what `HostServices` names.
/// There is no IPv6 but the loopback's. Of the kernel's state all has the machine's id in its name, and `detach(id:home:)` finds it there, so
/// that nothing is lost with the process that made it; a file `network/ID` in the home says that there may be something to find.
final class MachineNetwork: Sendable {
    /// As every machine sees this host. Link-local: no host's network has it, and no machine reaches another's.
    static let gateway = IPv4Address(0xa9fe_d501)

    let id: String
    let home: String
    /// The machine's; nil without a network.
    let address: IPv4Address?
    private let forwards: Mutex<[PortForward]>
    private let names: Mutex<NameForward?>

    private init(id: String, home: String, address: IPv4Address?, forwards: [PortForward], names: NameForward?) {
        (self.id, self.home, self.address) = (id, home, address)
        self.forwards = Mutex(forwards)
        self.names = Mutex(names)
    }

    /// Gives `namespace` its network. Published ports work with ``NetworkChoice/none`` too: this process carries them.
    ///
    /// - Parameters:
    ///   - name: the machine's, for messages.
    ///   - id: the machine's, of hex digits.
    ///   - namespace: a new network namespace.
    /// - Throws: ``MachineError`` `portTaken`, `invalid` for an `--allow` that is none, `missing` without nftables, `network` for all else.
    static func attach(
        name: String, id: String, namespace: Descriptor, choice: NetworkChoice, ports: [MachineDefaults.Port], home: String,
        services: HostServices = HostSettings.ofThisHost.services
    ) throws -> MachineNetwork {
        try prepare(namespace)
        var address: IPv4Address?
        var forwards: [PortForward] = []
        var names: NameForward?
        do {
            if case .open(let allow) = choice {
                let permitted = try services.permissions(home: home) + allow.flatMap { try HostServices.permissions(allowed: $0) }
                address = try connect(name, id, namespace, permitted, services, home)
                let device = deviceName(id)
                for (port, target) in services.loopback {
                    forwards.append(try PortForward(address: gateway, port: port, device: device, to: .host(target, port: port)))
                }
                if let resolver = services.loopbackResolver { names = try NameForward(device: device, resolver: resolver) }
            }
            for port in ports {
                do {
                    let target = PortForward.Target.machine(network: namespace, address: address, port: port.machine)
                    forwards.append(try PortForward(address: IPv4Address(0), port: port.host, to: target))
                } catch let error as LinuxError where error.code == EADDRINUSE {
                    throw MachineError(
                        "portTaken", "port \(port.host) of this host, which `\(name)` is to have, is taken", cause: "another process listens there",
                        fix: "publish another with `-p HOST:\(port.machine)`; `ss -ltnp` tells who has it")
                }
            }
        } catch {
            for forward in forwards { forward.close() }
            names?.close()
            try detach(id: id, home: home)
            throw error
        }
        return MachineNetwork(id: id, home: home, address: address, forwards: forwards, names: names)
    }

    /// What a network needs before anything is in it, and all there is without one: its loopback.
    private static func prepare(_ namespace: Descriptor) throws {
        try inNetwork(namespace) {
            // What appears later has no IPv6. A kernel without IPv6 has no such file.
            if access("/proc/sys/net/ipv6", F_OK) == 0 { try writeSmallFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1") }
            // As in Docker's containers: whoever runs a web server in a machine need not be root.
            try writeSmallFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")
            try RouteSocket().setUp(1)
        }
    }

    private static func connect(
        _ name: String, _ id: String, _ namespace: Descriptor, _ permitted: [NetworkRules.Permission], _ services: HostServices, _ home: String
    ) throws -> IPv4Address {
        try FileManager.default.createDirectory(atPath: home + "/network", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        // What a killed keeper left.
        try detach(id: id, home: home)
        _ = try Descriptor(record(id, home), O_WRONLY | O_CREAT)
        let device = deviceName(id)
        let uplinks = Forwarding.uplinks()
        let host = try RouteSocket()
        try host.addPair(device, peer: "eth0", in: namespace, mtu: uplinks.compactMap(Forwarding.mtu).min() ?? 1500)
        // It has gone again at once only if somebody removed it.
        let index = if_nametoindex(device)
        if access("/proc/sys/net/ipv6", F_OK) == 0 { try writeSmallFile("/proc/sys/net/ipv6/conf/\(device)/disable_ipv6", "1") }
        try host.addAddress(gateway, to: index)
        try host.setUp(index)
        let address = try claimAddress(for: id, through: index, host)
        try NetworkRules(id: id, device: device, address: address, permitted: permitted, served: services.served).install()
        try Forwarding.enable(for: device, uplinks: uplinks)
        try inNetwork(namespace) {
            let inside = try RouteSocket()
            let link = if_nametoindex("eth0")
            try inside.addAddress(address, to: link)
            try inside.setUp(link)
            try inside.addRoute(to: IPv4Range(gateway, bits: 32), through: link)
            try inside.addRoute(to: IPv4Range(IPv4Address(0), bits: 0), through: link, via: gateway)
        }
        return address
    }

    /// The first free address. The kernel's routes are the table of what is taken: one for the whole host, whatever homes there are, and right after any death.
    private static func claimAddress(for id: String, through index: UInt32, _ host: RouteSocket) throws -> IPv4Address {
        let range = Forwarding.rangeForMachines()
        let size: UInt32 = 1 << UInt32(32 - range.bits)
        let start = id.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        for attempt in 0..<size {
            let offset = (start &+ attempt) % size
            if offset == 0 || offset == size - 1 { continue }
            let address = IPv4Address(range.base.value + offset)
            do {
                try host.addRoute(to: IPv4Range(address, bits: 32), through: index)
                return address
            } catch let error as LinuxError where error.code == EEXIST { continue }
        }
        throw MachineError("exhausted", "all addresses of \(range) are taken", fix: "stop some machines")
    }

    /// Takes all down; does nothing the second time.
    func detach() throws {
        for forward in forwards.withLock({ taken in
            defer { taken = [] }
            return taken
        }) { forward.close() }
        names.withLock { $0 }?.close()
        names.withLock { $0 = nil }
        try Self.detach(id: id, home: home)
    }

    /// Takes down what a machine's network left in the kernel.
    static func detach(id: String, home: String) throws {
        let record = record(id, home)
        guard access(record, F_OK) == 0 else { return }
        // The kernel takes its time for either, and for both at once no more.
        let device = try SideWork { try RouteSocket().remove(deviceName(id)) }
        let rules = Result { try NetworkRules.remove(id) }
        try device.finish()
        try rules.get()
        try Forwarding.disableWhenUnused()
        unlink(record)
    }

    /// Takes down what machines left that are no more.
    ///
    /// - Parameter live: the ids of all machines; none may be added meanwhile.
    static func reap(live: Set<String>, home: String) throws {
        let folder = home + "/network"
        guard access(folder, F_OK) == 0 else { return }
        for id in try FileManager.default.contentsOfDirectory(atPath: folder) where !live.contains(id) && id.allSatisfy(\.isHexDigit) {
            try detach(id: id, home: home)
        }
    }

    /// A device's name has at most 15 characters.
    static func deviceName(_ id: String) -> String { Forwarding.prefix + id.prefix(12) }
    private static func record(_ id: String, _ home: String) -> String { "\(home)/network/\(id)" }
}
