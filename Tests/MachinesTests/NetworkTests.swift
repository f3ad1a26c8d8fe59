import Foundation
import Glibc
import Images
import Linux
import Testing

@testable import Machines

/// A network namespace behind this host with two addresses, one that looks public and one that is private, and a server on both: the world.
private final class World {
    static let link = "tworld0"
    let namespaces: MachineNamespaces
    let folder: TemporaryFolder
    let server: Server

    init() throws {
        folder = try TemporaryFolder()
        namespaces = try MachineNamespaces(firstHostID: 0x6ffe_0000, count: 65536, withNetwork: true)
        let network = try #require(namespaces.network)
        let host = try RouteSocket()
        try host.remove(World.link)
        try host.addPair(World.link, peer: "world", in: network, mtu: 1500)
        let index = if_nametoindex(World.link)
        // An address of this host's that is no private one.
        try host.addAddress(#require(IPv4Address("198.51.100.1")), to: index)
        try host.setUp(index)
        for range in ["198.51.100.7", "10.77.0.7"] { try host.addRoute(to: #require(IPv4Range(range)), through: index) }
        try writeSmallFile("/proc/sys/net/ipv4/conf/\(World.link)/forwarding", "1")
        try inNetwork(network) {
            let inside = try RouteSocket()
            try inside.setUp(1)
            let link = if_nametoindex("world")
            for address in ["198.51.100.7", "10.77.0.7"] { try inside.addAddress(IPv4Address(address) ?? MachineNetwork.gateway, to: link) }
            try inside.setUp(link)
            try inside.addRoute(to: IPv4Range(IPv4Address(0xc633_6401), bits: 32), through: link)
        }
        server = try Server(in: network, port: 8080)
    }

    deinit {
        server.close()
        _ = try? RouteSocket().remove(World.link)
    }
}

/// Answers each TCP connection with one line.
private final class Server: Sendable {
    private let socket: Descriptor
    private let thread: PlainThread

    init(in network: Descriptor?, address: IPv4Address = IPv4Address(0), port: UInt16) throws {
        @Sendable func open() throws -> Descriptor {
            let socket = try PortForward.open(address, port, type: Int32(SOCK_STREAM.rawValue), device: nil)
            try check("listen") { listen(socket.raw, 8) }
            return socket
        }
        let socket: Descriptor
        if let network { socket = try inNetwork(network) { try open() } } else { socket = try open() }
        self.socket = socket
        thread = try PlainThread {
            while true {
                let client = accept(socket.raw, nil, nil)
                if client < 0 { return }
                _ = send(client, "hello\n", 6, 0x4000)
                Glibc.close(client)
            }
        }
    }

    func close() {
        shutdown(socket.raw, Int32(SHUT_RDWR))
        thread.join()
    }
}

/// What a client gets: the server's line, or the error.
private func ask(_ address: String, _ port: UInt16, in network: Descriptor?) throws -> String {
    @Sendable func ask() throws -> String {
        let socket = Descriptor(owning: try check("socket") { Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) })
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let target = IPv4Address(address) ?? IPv4Address(0)
        if PortForward.withSockaddr(target.socketAddress(port: port), { connect(socket.raw, $0, $1) }) != 0 { return String(cString: strerror(errno)) }
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = recv(socket.raw, &buffer, buffer.count, 0)
        return count < 0 ? String(cString: strerror(errno)) : String(decoding: buffer[..<count], as: UTF8.self)
    }
    if let network { return try inNetwork(network) { try ask() } }
    return try ask()
}

@Suite("A machine's network", .serialized)
struct NetworkTests {
    private let id = String(UUID().uuidString.lowercased().filter(\.isHexDigit).prefix(16))
    private let unreachable = String(cString: strerror(EHOSTUNREACH))

    /// Names, ports and addresses are the same in each run of these tests, and runs may overlap.
    private func turn() throws -> FileLock { try FileLock("/run/terrine-network-tests.lock") }

    private func namespace() throws -> Descriptor {
        try #require(try MachineNamespaces(firstHostID: 0x6ffd_0000, count: 65536, withNetwork: true).network)
    }

    @Test("an open network reaches the world, but neither this host nor private addresses unless they are allowed")
    func open() throws {
        guard SandboxNeeds.met else { return }
        let turn = try turn()
        defer { withExtendedLifetime(turn) {} }
        let world = try World()
        let inside = try namespace()
        let onHost = try Server(in: nil, port: 18_081)
        defer { onHost.close() }
        let routed = readSmallFile("/proc/sys/net/ipv4/ip_forward")
        let network = try MachineNetwork.attach(
            name: "m", id: id, namespace: inside, choice: .open(allow: []), ports: [], home: world.folder.path, services: HostServices())
        #expect(try ask("198.51.100.7", 8080, in: inside) == "hello\n")
        #expect(try ask("10.77.0.7", 8080, in: inside) == unreachable)
        for own in ["198.51.100.1", "\(MachineNetwork.gateway)"] { #expect(try ask(own, 18_081, in: inside) == unreachable) }
        // Nobody outside reaches in.
        #expect(try ask("\(#require(network.address))", 8080, in: world.namespaces.network) != "hello\n")
        #expect(readSmallFile("/proc/sys/net/ipv4/ip_forward") == routed)
        try network.detach()

        let other = try namespace()
        let allowed = try MachineNetwork.attach(
            name: "m", id: id, namespace: other, choice: .open(allow: ["10.77.0.0/16", "198.51.100.1:18081"]), ports: [], home: world.folder.path,
            services: HostServices())
        #expect(try ask("10.77.0.7", 8080, in: other) == "hello\n")
        #expect(try ask("198.51.100.1", 18_081, in: other) == "hello\n")
        #expect(try ask("198.51.100.1", 18_082, in: other) == unreachable)
        try allowed.detach()
        #expect(throws: MachineError.self) {
            try MachineNetwork.attach(
                name: "m", id: id, namespace: self.namespace(), choice: .open(allow: ["a:b:c"]), ports: [], home: world.folder.path, services: HostServices())
        }
        #expect(try leftovers() == "")
    }

    @Test("published ports lead to the machine, also without a network; a taken one is told")
    func ports() throws {
        guard SandboxNeeds.met else { return }
        let turn = try turn()
        defer { withExtendedLifetime(turn) {} }
        let folder = try TemporaryFolder()
        let inside = try namespace()
        let ports = [MachineDefaults.Port(host: 18_090, machine: 80)]
        let network = try MachineNetwork.attach(name: "m", id: id, namespace: inside, choice: .none, ports: ports, home: folder.path)
        let server = try Server(in: inside, address: IPv4Address(0x7f00_0001), port: 80)
        #expect(try ask("127.0.0.1", 18_090, in: nil) == "hello\n")
        let error = #expect(throws: MachineError.self) {
            try MachineNetwork.attach(name: "n", id: "0123456789abcdef", namespace: self.namespace(), choice: .none, ports: ports, home: folder.path)
        }
        #expect(error?.code == "portTaken")
        server.close()
        try network.detach()
        #expect(try ask("127.0.0.1", 18_090, in: nil) == String(cString: strerror(ECONNREFUSED)))
        let interfaces = try inNetwork(inside) { try String(contentsOfFile: "/proc/thread-self/net/dev", encoding: .utf8) }
        #expect(interfaces.split(separator: "\n").count == 3, "two lines of headings, and lo")
    }

    @Test("services on this host's loopback are at the gateway, and nothing else is; a resolver too")
    func loopback() throws {
        guard SandboxNeeds.met else { return }
        let turn = try turn()
        defer { withExtendedLifetime(turn) {} }
        let folder = try TemporaryFolder()
        let inside = try namespace()
        let proxy = try Server(in: nil, address: IPv4Address(0x7f00_0001), port: 18_091)
        let hidden = try Server(in: nil, address: IPv4Address(0x7f00_0001), port: 18_092)
        defer { for server in [proxy, hidden] { server.close() } }
        var services = HostServices()
        #expect(services.use("http://user:secret@127.0.0.1:18091/path") == "http://user:secret@169.254.213.1:18091/path")
        services.resolvers = [IPv4Address(0x7f00_004d)]
        let resolver = try PortForward.open(IPv4Address(0x7f00_004d), 53, type: Int32(SOCK_DGRAM.rawValue), device: nil)
        let answering = try PlainThread {
            var buffer = [UInt8](repeating: 0, count: 512)
            var asker = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &asker) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(resolver.raw, &buffer, 512, 0, $0, &size) }
            }
            if count > 0 { PortForward.withSockaddr(asker) { sendto(resolver.raw, buffer, count, 0, $0, $1) } }
        }
        let network = try MachineNetwork.attach(
            name: "m", id: id, namespace: inside, choice: .open(allow: []), ports: [], home: folder.path, services: services)
        #expect(try ask("\(MachineNetwork.gateway)", 18_091, in: inside) == "hello\n")
        #expect(try ask("\(MachineNetwork.gateway)", 18_092, in: inside) == unreachable)
        let answer = try inNetwork(inside) {
            let socket = Descriptor(owning: try check("socket") { Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0) })
            var limit = timeval(tv_sec: 20, tv_usec: 0)
            setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            PortForward.withSockaddr(MachineNetwork.gateway.socketAddress(port: 53)) { sendto(socket.raw, "question", 8, 0, $0, $1) }
            var buffer = [UInt8](repeating: 0, count: 100)
            return recv(socket.raw, &buffer, buffer.count, 0)
        }
        #expect(answer == 8)
        if answer != 8 { shutdown(resolver.raw, Int32(SHUT_RDWR)) }
        answering.join()
        try network.detach()
        #expect(try leftovers() == "")
    }

    @Test("what a dead keeper left is found and taken down")
    func orphans() throws {
        guard SandboxNeeds.met else { return }
        let folder = try TemporaryFolder()
        _ = try MachineNetwork.attach(
            name: "m", id: id, namespace: namespace(), choice: .open(allow: []), ports: [], home: folder.path, services: HostServices())
        try MachineNetwork.reap(live: [id], home: folder.path)
        #expect(try Command("nft", ["list", "table", "inet", NetworkRules.table(id)]).capture().status == .exited(0))
        try MachineNetwork.reap(live: [], home: folder.path)
        #expect(try leftovers() == "")
        try MachineNetwork.detach(id: id, home: folder.path)
    }

    /// Devices and tables of this test's machine.
    private func leftovers() throws -> String {
        let tables = try Command("nft", ["list", "tables"]).capture().output.split(separator: "\n").filter { $0.contains(id) }.joined()
        return tables + (access("/sys/class/net/" + MachineNetwork.deviceName(id), F_OK) == 0 ? " and its device" : "")
    }

    @Test("addresses and ranges", arguments: [("10.1.2.3/8", "10.0.0.0/8", true), ("0.0.0.0/0", "0.0.0.0/0", true), ("192.168.0.1", "192.168.0.1", false)])
    func ranges(_ text: String, _ normal: String, _ hasTen: Bool) throws {
        let range = try #require(IPv4Range(text))
        #expect(range.description == normal && range.contains(IPv4Address(0x0a09_0909)) == hasTen)
        for wrong in ["10.0.0.0/33", "10.0.0", "x", "", "10.0.0.0/", "1.2.3.4/-1"] { #expect(IPv4Range(wrong) == nil, "\(wrong)") }
    }
}
