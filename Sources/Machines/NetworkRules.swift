import Foundation
import Glibc

/// What a machine's packets may reach, as an nftables table.
struct NetworkRules {
    /// This host's networks, private ones, link-local with the clouds' metadata, shared, multicast, reserved.
    private static let refused = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "224.0.0.0/3",
    ]

    private let interface: String
    private let addresses: MachineNetwork.Addresses
    private let resolvers: [String]
    /// Accepting expressions, such as `ip daddr 10.1.2.3 tcp dport 443`.
    private let exceptions: [String]

    /// - Parameters:
    ///   - hosts: names and addresses that are let through wherever they are.
    ///   - allow: `host`, `host:port` or `address/bits`.
    init(interface: String, addresses: MachineNetwork.Addresses, resolvers: [String], hosts: Set<String>, allow: [String]) throws {
        (self.interface, self.addresses, self.resolvers) = (interface, addresses, resolvers)
        // A registry that cannot be found now is not needed now.
        var exceptions = hosts.sorted().flatMap { Self.resolve($0) }.filter { !$0.hasPrefix("127.") }.map { "ip daddr \($0)" }
        for entry in allow { exceptions += try Self.exceptions(entry) }
        self.exceptions = exceptions
    }

    private static func exceptions(_ entry: String) throws -> [String] {
        func wrong(_ why: String) -> MachineError {
            MachineError("invalid", "`--allow \(entry)` cannot be understood", cause: why, fix: "say `host`, `host:port` or `address/bits`")
        }
        if let slash = entry.firstIndex(of: "/") {
            guard isAddress(String(entry[..<slash])), let bits = Int(entry[entry.index(after: slash)...]), (0...32).contains(bits) else {
                throw wrong("it is no IPv4 network")
            }
            return ["ip daddr \(entry)"]
        }
        let parts = entry.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, !parts[0].isEmpty else { throw wrong("it has too many colons") }
        var port = ""
        if parts.count == 2 {
            guard let number = UInt16(parts[1]), number > 0 else { throw wrong("`\(parts[1])` is no port") }
            port = " tcp dport \(number)"
        }
        let found = resolve(parts[0])
        if found.isEmpty { throw wrong("`\(parts[0])` has no IPv4 address") }
        return found.map { "ip daddr \($0)\(port)" }
    }

    private static func isAddress(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    /// IPv4 addresses of a name.
    private static func resolve(_ name: String) -> [String] {
        if isAddress(name) { return [name] }
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { _ = inet_ntop(AF_INET, &$0.pointee.sin_addr, &text, socklen_t(text.count)) }
                found.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            next = entry.pointee.ai_next
        }
        return Set(found).sorted()
    }

    private var localResolver: String? { resolvers.first { $0.hasPrefix("127.") } }

    /// Whether packets to this host's loopback must be let in from the interface.
    var needsLocalRouting: Bool { localResolver != nil }

    func text(table: String) -> String {
        var input = ["ct state established,related accept", "meta nfproto ipv6 drop"]
        var forward = ["meta nfproto ipv6 drop", "ip saddr != \(addresses.machine) drop", "ct state established,related accept"]
        for resolver in resolvers {
            for transport in ["udp", "tcp"] {
                let rule = "ip daddr \(resolver) \(transport) dport 53 accept"
                input.append(rule)
                forward.append(rule)
            }
        }
        // An allowed address may be this host's own.
        input += exceptions.map { $0 + " accept" } + ["drop"]
        forward += exceptions.map { $0 + " accept" }
        forward += ["ip daddr { \(Self.refused.joined(separator: ", ")) } drop", "accept"]
        func chain(_ name: String, _ head: String, _ rules: [String], incoming: Bool = true) -> String {
            "  chain \(name) {\n    \(head)\n" + rules.map { "    \(incoming ? "iifname \(interface) " : "")\($0)\n" }.joined() + "  }\n"
        }
        var text = "table inet \(table) {\n"
        text += chain("input", "type filter hook input priority -5; policy accept;", input)
        text += chain("forward", "type filter hook forward priority -5; policy accept;", forward)
        text += chain(
            "replies", "type filter hook forward priority -4; policy accept;",
            ["oifname \(interface) ct state established,related accept", "oifname \(interface) drop"], incoming: false)
        text += chain(
            "translate", "type nat hook postrouting priority 100; policy accept;", ["ip saddr \(addresses.machine) oifname != \(interface) masquerade"],
            incoming: false)
        if let local = localResolver {
            text += chain(
                "resolve", "type nat hook prerouting priority -100; policy accept;",
                ["udp", "tcp"].map { "ip daddr \(addresses.host) \($0) dport 53 dnat ip to \(local):53" })
        }
        return text + "}\n"
    }
}
