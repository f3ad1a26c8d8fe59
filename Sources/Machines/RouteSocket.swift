import CLinux
import Glibc
import Linux
import Synchronization

/// Links, addresses and routes of one network namespace, by rtnetlink(7).
///
/// Own code, since `ip` takes longer for its start than the whole of a machine's network for its making.
struct RouteSocket: Sendable {
    private let socket: Descriptor

    /// In the calling thread's network namespace.
    init() throws {
        socket = Descriptor(owning: try check("make", "a route socket") { Glibc.socket(AF_NETLINK, 3 | 0o2000000, 0) })  // SOCK_RAW, SOCK_CLOEXEC
    }

    // Message types and flags of linux/rtnetlink.h and linux/netlink.h.
    private enum Kind { static let newLink: UInt16 = 16, deleteLink: UInt16 = 17, newAddress: UInt16 = 20, newRoute: UInt16 = 24 }
    private static let create: UInt16 = 0x400
    private static let exclusive: UInt16 = 0x200

    /// Makes a pair of virtual Ethernet devices: `name` here, `peer` in `namespace`.
    func addPair(_ name: String, peer: String, in namespace: Descriptor, mtu: UInt32) throws {
        var inner = Message(link: 0)
        inner.add(3, name: peer)
        inner.add(4, mtu)
        inner.add(28, UInt32(bitPattern: namespace.raw))  // IFLA_NET_NS_FD
        var information = Message()
        information.add(1, name: "veth")  // IFLA_INFO_KIND
        var data = Message()
        data.add(1, inner.bytes)  // VETH_INFO_PEER
        information.add(2, data.bytes)
        var message = Message(link: 0)
        message.add(3, name: name)  // IFLA_IFNAME
        message.add(4, mtu)  // IFLA_MTU
        message.add(18, information.bytes)  // IFLA_LINKINFO
        try send(Kind.newLink, Self.create | Self.exclusive, message, "make the device", name)
    }

    /// Removes a device, and its peer with it; false when there is none of that name.
    @discardableResult
    func remove(_ name: String) throws -> Bool {
        var message = Message(link: 0)
        message.add(3, name: name)
        do { try send(Kind.deleteLink, 0, message, "remove the device", name) } catch let error as LinuxError where error.code == ENODEV { return false }
        return true
    }

    func setUp(_ index: UInt32) throws {
        var message = Message(link: index)
        message.bytes.replaceSubrange(8..<16, with: Message.flat(UInt32(1)) + Message.flat(UInt32(1)))  // IFF_UP: value and mask
        try send(Kind.newLink, 0, message, "switch on", "device \(index)")
    }

    func addAddress(_ address: IPv4Address, to index: UInt32) throws {
        var message = Message()
        message.bytes = [UInt8(AF_INET), 32, 0, 0] + Message.flat(index)
        message.add(2, address.bytes)  // IFA_LOCAL
        message.add(1, address.bytes)  // IFA_ADDRESS
        try send(Kind.newAddress, Self.create | Self.exclusive, message, "give the address", address.description)
    }

    /// Adds a route; the kernel lets one who is first have it: `EEXIST` for all others.
    func addRoute(to range: IPv4Range, through index: UInt32, via gateway: IPv4Address? = nil) throws {
        var message = Message()
        let scope: UInt8 = gateway == nil ? 253 : 0  // link, universe
        // family, bits, source bits, TOS, table main, protocol static, scope, unicast, flags (RTNH_F_ONLINK)
        message.bytes = [UInt8(AF_INET), UInt8(range.bits), 0, 0, 254, 4, scope, 1] + Message.flat(gateway == nil ? UInt32(0) : 4)
        if range.bits > 0 { message.add(1, range.base.bytes) }  // RTA_DST
        message.add(4, index)  // RTA_OIF
        if let gateway { message.add(5, gateway.bytes) }  // RTA_GATEWAY
        try send(Kind.newRoute, Self.create | Self.exclusive, message, "add the route to", range.description)
    }

    /// A netlink message's body: a fixed part, then attributes that are each padded to four bytes.
    private struct Message {
        var bytes: [UInt8] = []

        init() {}
        /// struct ifinfomsg.
        init(link index: UInt32) { bytes = [0, 0, 0, 0] + Self.flat(index) + [UInt8](repeating: 0, count: 8) }

        static func flat<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

        mutating func add(_ type: UInt16, _ value: [UInt8]) {
            bytes += Self.flat(UInt16(4 + value.count)) + Self.flat(type) + value
            while bytes.count % 4 != 0 { bytes.append(0) }
        }
        mutating func add(_ type: UInt16, _ value: UInt32) { add(type, Self.flat(value)) }
        mutating func add(_ type: UInt16, name: String) { add(type, Array(name.utf8) + [0]) }
    }

    private func send(_ type: UInt16, _ flags: UInt16, _ message: Message, _ call: String, _ subject: String) throws {
        let requestAndAcknowledge: UInt16 = 5
        let header = Message.flat(UInt32(16 + message.bytes.count)) + Message.flat(type) + Message.flat(flags | requestAndAcknowledge) + Message.flat(UInt64(1))
        let whole = header + message.bytes
        try check(call, subject) { Glibc.send(socket.raw, whole, whole.count, 0) }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = try check(call, subject) { recv(socket.raw, &answer, answer.count, 0) }
        guard count >= 20 else { throw LinuxError(call, subject, code: EPROTO) }
        let code = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
        if code != 0 { throw LinuxError(call, subject, code: -code) }
    }
}

/// Does something in a network namespace, on a thread of its own: this process stays where it is.
func inNetwork<T: Sendable>(_ namespace: Descriptor, _ body: @escaping @Sendable () throws -> T) throws -> T {
    let box = Outcome<T>()
    let thread = try PlainThread {
        let result = Result {
            try enterNetwork(namespace)
            return try body()
        }
        box.result.withLock { $0 = result }
    }
    thread.join()
    guard let result = box.result.withLock({ $0 }) else { throw MachineError("internal", "a thread in a machine's network ended without a result") }
    return try result.get()
}

private final class Outcome<T: Sendable>: Sendable {
    let result = Mutex<Result<T, any Error>?>(nil)
}

/// Moves the calling thread into a network namespace.
func enterNetwork(_ namespace: Descriptor) throws {
    try check("enter", "the machine's network") { clinux_syscall6(Int(SYS_setns), Int(namespace.raw), 0x4000_0000, 0, 0, 0, 0) }
}
