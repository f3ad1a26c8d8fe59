import Glibc
import Linux

/// The packet filter of one machine: an nftables table `terrine_ID` that goes with it.
struct NetworkRules: Sendable {
    let id: String
    /// The machine's device on this host.
    let device: String
    let address: IPv4Address
    /// What of the refused it may reach all the same.
    var permitted: [Permission]
    /// Ports of the gateway on which this host serves it.
    var served: [UInt16] = []

    /// A destination that a machine may reach although it is refused in general.
    struct Permission: Hashable, Sendable {
        var range: IPv4Range
        /// All when nil.
        var port: UInt16?

        /// As a rule says it.
        var match: String { "ip daddr \(range)" + (port.map { " meta l4proto { tcp, udp } th dport \($0)" } ?? "") }
    }

    /// What no machine reaches unasked: this host's neighbours, providers' metadata services, and what is no address of anyone.
    ///
    /// Source: IANA's special-purpose registry, RFC 6890; 168.63.129.16 is Azure's, 192.0.0.192 and 100.100.100.200 are other clouds' metadata services.
    static let refused = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "224.0.0.0/3",
    ].compactMap(IPv4Range.init)

    static func table(_ id: String) -> String { "terrine_\(id)" }

    /// Adds the machine's table, of which there must be none: to replace one takes five times as long, since the kernel waits for the old to be unused.
    func install() throws { try Self.apply(text, "set up the network's rules of \(id)") }

    /// Removes the machine's table, if there is one.
    static func remove(_ id: String) throws {
        let table = "table inet \(Self.table(id))"
        // Adding it first makes the removal succeed either way.
        try apply("\(table) {}\ndelete \(table)\n", "remove the network's rules of \(id)")
    }

    var text: String {
        let table = "table inet \(Self.table(id))"
        let refusal = "reject with icmpx type admin-prohibited"
        let served =
            served.isEmpty
            ? "" : "ip daddr \(MachineNetwork.gateway) meta l4proto { tcp, udp } th dport { \(served.map(String.init).joined(separator: ", ")) } accept"
        return """
            \(table) {
              chain permitted {
                \(permitted.map { $0.match + " accept" }.joined(separator: "\n    "))
              }
              chain input {
                type filter hook input priority -10
                iifname != "\(device)" accept
                meta nfproto ipv6 drop
                ct state established,related accept
                ip saddr != \(address) drop
                \(served)
                jump permitted
                \(refusal)
              }
              chain forward {
                type filter hook forward priority -10
                oifname "\(device)" ct state established,related accept
                oifname "\(device)" drop
                iifname != "\(device)" accept
                meta nfproto ipv6 drop
                ip saddr != \(address) drop
                ct state established,related accept
                jump permitted
                ip daddr { \(Self.refused.map(\.description).joined(separator: ", ")) } \(refusal)
              }
              chain postrouting {
                type nat hook postrouting priority srcnat
                ip saddr \(address) oifname != "\(device)" masquerade
              }
            }

            """
    }

    static func apply(_ text: String, _ what: String) throws {
        let result: CapturedOutput
        do { result = try Command("nft", ["-f", "-"]).capture(input: text) } catch let error as LinuxError where error.code == ENOENT {
            throw MachineError(
                "missing", "this host has no `nft`, which open networks need", fix: "`apt-get install nftables`, or give the machine `--network none`")
        }
        if result.status != .exited(0) {
            throw MachineError(
                "network", "cannot \(what)", cause: result.errors.split(separator: "\n").first.map(String.init),
                fix: "`terrine doctor` tells what this host lacks")
        }
    }
}
