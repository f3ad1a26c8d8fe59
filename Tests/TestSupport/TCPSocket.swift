import Foundation
import Glibc
import Linux

/// A TCP socket of this host's own address; for tests.
public struct TCPSocket: Sendable {
    public let descriptor: Descriptor

    private static func make() throws -> Descriptor {
        Descriptor(owning: try check("make", "a socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) })
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// Listens at a port that is free, or at this one.
    public static func listen(at port: UInt16 = 0) throws -> TCPSocket {
        let own = try make()
        var (yes, address) = (Int32(1), address(port))
        setsockopt(own.raw, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = try check("bind", "port \(port)") { bind(own.raw, pointer, 16) }
            }
        }
        _ = try check("listen at", "port \(port)") { Glibc.listen(own.raw, 64) }
        return TCPSocket(descriptor: own)
    }

    public static func connect(to port: UInt16) throws -> TCPSocket {
        let own = try make()
        var address = address(port)
        try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = try check("connect to", "port \(port)") { Glibc.connect(own.raw, pointer, 16) }
            }
        }
        return TCPSocket(descriptor: own)
    }

    public var port: UInt16 {
        var (address, length) = (sockaddr_in(), socklen_t(16))
        withUnsafeMutablePointer(to: &address) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor.raw, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Nil when it was shut.
    public func accept() -> TCPSocket? {
        while true {
            let raw = Glibc.accept(descriptor.raw, nil, nil)
            if raw >= 0 {
                _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
                return TCPSocket(descriptor: Descriptor(owning: raw))
            }
            if errno != EINTR { return nil }
        }
    }

    /// What has come, at most `limit` bytes; empty at the end.
    public func receive(_ limit: Int = 65536) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in count = max(0, recv(descriptor.raw, buffer.baseAddress, limit, 0)) }
    }

    /// - Returns: whether all of it could be sent.
    @discardableResult
    public func send(_ bytes: some Collection<UInt8>) -> Bool {
        let bytes = Array(bytes)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor.raw, $0.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    /// Whoever waits for it on either side finds its end.
    public func shut() { shutdown(descriptor.raw, Int32(SHUT_RDWR)) }
}
