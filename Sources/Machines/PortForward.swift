import CLinux
import Glibc
import Linux
import Synchronization

/// A TCP port that leads elsewhere, by copying bytes: into a machine for a published port, or from a machine to a service on this host's loopback.
///
/// In user space, since the kernel's own way needs `route_localnet`, which opens this host's loopback to its neighbours.
final class PortForward: Sendable {
    /// Where a connection goes.
    enum Target: Sendable {
        /// A port of a machine: at its own address, or, where nobody listens there, at its loopback.
        case machine(network: Descriptor, address: IPv4Address?, port: UInt16)
        /// A port of this host's.
        case host(IPv4Address, port: UInt16)
    }

    private let listener: Descriptor
    private let isClosing = Atomic(false)
    private let accepting = Mutex<PlainThread?>(nil)

    /// Listens from now on.
    ///
    /// - Parameter device: only what comes in there is taken.
    /// - Throws: ``LinuxError`` with `EADDRINUSE` when somebody else has the port.
    init(address: IPv4Address, port: UInt16, device: String? = nil, to target: Target) throws {
        listener = try Self.open(address, port, type: Int32(SOCK_STREAM.rawValue), device: device)
        try check("listen on", "port \(port)") { listen(listener.raw, 128) }
        let thread = try PlainThread { [weak self, listener] in
            while true {
                let raw = clinux_accept4(listener.raw, 0o2000000)  // SOCK_CLOEXEC
                guard let self, !self.isClosing.load(ordering: .acquiring) else {
                    if raw >= 0 { Glibc.close(raw) }
                    return
                }
                if raw < 0 {
                    // Out of descriptors, or a connection that was given up: neither is a reason to stop for good.
                    if errno != EINTR { usleep(10_000) }
                    continue
                }
                let connection = Descriptor(owning: raw)
                do { _ = try PlainThread { Self.serve(connection, target) } } catch { usleep(10_000) }
            }
        }
        accepting.withLock { $0 = thread }
    }

    /// Takes no more connections; those that there are go on until an end closes them.
    func close() {
        isClosing.store(true, ordering: .releasing)
        shutdown(listener.raw, Int32(SHUT_RDWR))
        accepting.withLock { $0 }?.join()
    }

    static func open(_ address: IPv4Address, _ port: UInt16, type: Int32, device: String?) throws -> Descriptor {
        let raw = try check("make", "a socket") { socket(AF_INET, type | 0o2000000, 0) }
        let descriptor = Descriptor(owning: raw)
        var yes: Int32 = 1
        setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        if let device { try check("bind to", device) { setsockopt(raw, SOL_SOCKET, SO_BINDTODEVICE, device, socklen_t(device.utf8.count)) } }
        try withSockaddr(address.socketAddress(port: port)) { pointer, size in try check("bind to", "port \(port)") { bind(raw, pointer, size) } }
        return descriptor
    }

    /// Hands an address to a system call.
    @discardableResult
    static func withSockaddr<T>(_ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> T) rethrows -> T {
        try withUnsafePointer(to: address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    private static func serve(_ client: Descriptor, _ target: Target) {
        // Whom nobody answers sees his connection closed, as with a port where nobody listens.
        guard let server = try? connect(target) else { return }
        copy(client, server)
    }

    /// On a thread of the connection's own, which may change its network.
    private static func connect(_ target: Target) throws -> Descriptor {
        switch target {
        case .host(let address, let port): return try connect(address, port)
        case .machine(let network, let address, let port):
            try enterNetwork(network)
            if let address { do { return try connect(address, port) } catch let error as LinuxError where error.code == ECONNREFUSED {} }
            return try connect(IPv4Address(0x7f00_0001), port)
        }
    }

    private static func connect(_ address: IPv4Address, _ port: UInt16) throws -> Descriptor {
        let socket = Descriptor(owning: try check("make", "a socket") { Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | 0o2000000, 0) })
        try withSockaddr(address.socketAddress(port: port)) { pointer, size in
            try check("connect to", "\(address):\(port)") { Glibc.connect(socket.raw, pointer, size) }
        }
        return socket
    }

    /// Copies both ways until both ends have said all.
    private static func copy(_ a: Descriptor, _ b: Descriptor) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var open = [true, true]
        while open[0] || open[1] {
            var polls = [
                pollfd(fd: open[0] ? a.raw : -1, events: Int16(POLLIN), revents: 0), pollfd(fd: open[1] ? b.raw : -1, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&polls, 2, -1) < 0 {
                if errno == EINTR { continue }
                return
            }
            for (index, (from, to)) in [(a, b), (b, a)].enumerated() where polls[index].revents != 0 {
                let count = read(from.raw, &buffer, buffer.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    return
                }
                if count == 0 {
                    open[index] = false
                    shutdown(to.raw, Int32(SHUT_WR))
                    continue
                }
                var done = 0
                while done < count {
                    let sent = buffer.withUnsafeBytes { send(to.raw, $0.baseAddress.map { $0 + done }, count - done, 0x4000) }
                    if sent < 0 {
                        if errno == EINTR { continue }
                        return
                    }
                    done += sent
                }
            }
        }
    }
}
