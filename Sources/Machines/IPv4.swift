import Glibc

/// An IPv4 address.
struct IPv4Address: Hashable, Sendable, CustomStringConvertible {
    /// The first part of the dotted form in the highest byte.
    let value: UInt32

    init(_ value: UInt32) { self.value = value }

    init?(_ text: String) {
        var address = in_addr()
        guard inet_pton(AF_INET, text, &address) == 1 else { return nil }
        value = UInt32(bigEndian: address.s_addr)
    }

    var description: String { "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)" }
    /// As a packet has it.
    var bytes: [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }
    var isLoopback: Bool { value >> 24 == 127 }

    /// For `bind` and `connect`.
    func socketAddress(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = value.bigEndian
        address.sin_port = port.bigEndian
        return address
    }
}

/// A block of IPv4 addresses, `address/bits`.
struct IPv4Range: Hashable, Sendable, CustomStringConvertible {
    let base: IPv4Address
    /// 0 to 32.
    let bits: Int

    init(_ base: IPv4Address, bits: Int) {
        self.base = IPv4Address(bits == 0 ? 0 : base.value & (~0 << UInt32(32 - bits)))
        self.bits = bits
    }

    /// `address/bits`, or an address alone.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let base = IPv4Address(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(base, bits: 32)
            return
        }
        guard let bits = Int(parts[1]), (0...32).contains(bits) else { return nil }
        self.init(base, bits: bits)
    }

    var description: String { bits == 32 ? base.description : "\(base)/\(bits)" }
    func contains(_ address: IPv4Address) -> Bool { IPv4Range(address, bits: bits).base == base }
    func overlaps(_ other: IPv4Range) -> Bool { bits <= other.bits ? contains(other.base) : other.contains(base) }
}
