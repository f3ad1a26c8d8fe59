import CLinux
import Glibc

/// A Unix stream socket: listening, connected, or one end of a pair.
public struct UnixSocket: Sendable {
    public let descriptor: Descriptor

    public init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// Two connected ends.
    public static func pair() throws -> (UnixSocket, UnixSocket) {
        var ends: [Int32] = [0, 0]
        try check("make", "a socket pair") { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0, &ends) }
        return (UnixSocket(Descriptor(owning: ends[0])), UnixSocket(Descriptor(owning: ends[1])))
    }

    /// Listens at `path`, taking the place of a socket that a dead process left there.
    public static func listen(at path: String) throws -> UnixSocket {
        Glibc.unlink(path)
        let socket = try make()
        try withAddress(path) { address, length in
            _ = try check("listen at", path) { bind(socket.raw, address, length) }
        }
        try check("listen at", path) { Glibc.listen(socket.raw, 64) }
        return UnixSocket(socket)
    }

    public static func connect(to path: String) throws -> UnixSocket {
        let socket = try make()
        try withAddress(path) { address, length in
            _ = try check("connect to", path) { Glibc.connect(socket.raw, address, length) }
        }
        return UnixSocket(socket)
    }

    /// Waits for a client.
    public func accept() throws -> UnixSocket {
        UnixSocket(Descriptor(owning: try check("accept", "a client") { clinux_accept4(descriptor.raw, O_CLOEXEC) }))
    }

    /// Sends bytes, and descriptors along with the first of them.
    public func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws {
        var done = 0
        while done < bytes.count {
            let count = try bytes.withUnsafeBytes { buffer in
                try check("send to", "a socket") {
                    clinux_send(
                        descriptor.raw, buffer.baseAddress.map { $0 + done }, buffer.count - done, descriptors, Int32(done == 0 ? descriptors.count : 0))
                }
            }
            done += count
        }
    }

    /// Receives up to `limit` bytes and the descriptors that came with them; no bytes: the other end is closed.
    public func receive(limit: Int = 65536) throws -> (bytes: [UInt8], descriptors: [Descriptor]) {
        var raw = [Int32](repeating: -1, count: 16)
        var count = Int32(raw.count)
        let bytes = try [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
            filled = try check("receive from", "a socket") {
                clinux_receive(descriptor.raw, buffer.baseAddress, buffer.count, &raw, &count)
            }
        }
        return (bytes, raw.prefix(Int(count)).map { Descriptor(owning: $0) })
    }

    private static func make() throws -> Descriptor {
        Descriptor(owning: try check("make", "a socket") { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) })
    }

    /// A path may be longer than the 107 bytes of an address: then it is named through its folder's descriptor.
    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void) throws {
        var short = path
        var folder: Descriptor?
        if path.utf8.count > 107, let slash = path.lastIndex(of: "/") {
            let opened = try Descriptor(String(path[..<slash]), O_RDONLY | O_DIRECTORY)
            short = "/proc/self/fd/\(opened.raw)\(path[slash...])"
            folder = opened
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard short.utf8.count <= 107 else { throw LinuxError("name", path, code: ENAMETOOLONG) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
        try withExtendedLifetime(folder) {
            try withUnsafePointer(to: &address) {
                try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
            }
        }
    }
}
