import Glibc
import Images
import Linux

/// A port of this host's loopback whose connections are passed on to a machine's.
///
/// In this process, not in the packet filter: that cannot redirect what comes from the host itself without opening its loopback to the machine.
final class PortListener: Sendable {
    private let socket: Descriptor
    private let thread: PlainThread

    /// - Throws: ``MachineError`` `portInUse`.
    init(_ port: MachineDefaults.Port, address: String) throws {
        let socket = try Self.make()
        var yes: Int32 = 1
        setsockopt(socket.raw, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        do {
            try Self.withAddress("127.0.0.1", port.host) { address, length in _ = try check("bind", "port \(port.host)") { bind(socket.raw, address, length) } }
            try check("listen", "port \(port.host)") { listen(socket.raw, 128) }
        } catch let error as LinuxError {
            throw MachineError(
                "portInUse", "port \(port.host) of this host cannot lead to the machine", cause: "\(error)", fix: "choose another with `-p`, or stop who has it"
            )
        }
        self.socket = socket
        thread = try PlainThread {
            while true {
                let client = accept(socket.raw, nil, nil)
                if client < 0 {
                    if errno == EINTR || errno == ECONNABORTED || errno == EMFILE { continue }
                    return
                }
                let connection = Descriptor(owning: client)
                // One that cannot be passed on is closed, which is what its client then sees.
                _ = try? PlainThread { Self.serve(connection, address, port.machine) }
            }
        }
    }

    /// Takes no more connections.
    func close() {
        shutdown(socket.raw, Int32(SHUT_RDWR))
        thread.join()
    }

    private static func serve(_ client: Descriptor, _ address: String, _ port: UInt16) {
        do {
            let machine = try make()
            try withAddress(address, port) { address, length in
                _ = try check("connect to", "the machine's port \(port)") { connect(machine.raw, address, length) }
            }
            let back = try PlainThread { pass(machine, client) }
            pass(client, machine)
            back.join()
        } catch { Keeper.log("\(error)") }
    }

    /// Until one end is closed; then the other end is told.
    private static func pass(_ from: Descriptor, _ to: Descriptor) {
        let noSignal: Int32 = 0x4000  // MSG_NOSIGNAL
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(from.raw, &buffer, buffer.count, 0)
            if count <= 0 { break }
            var done = 0
            while done < count {
                let sent = buffer.withUnsafeBytes { send(to.raw, $0.baseAddress.map { $0 + done }, count - done, noSignal) }
                if sent <= 0 { return }
                done += sent
            }
        }
        shutdown(to.raw, Int32(SHUT_WR))
    }

    private static func make() throws -> Descriptor {
        Descriptor(owning: try check("make", "a socket") { socket_(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) })
    }

    private static func withAddress(_ text: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        try withUnsafePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}

private func socket_(_ domain: Int32, _ type: Int32, _ protocolNumber: Int32) -> Int32 { socket(domain, type, protocolNumber) }
