import Glibc
import Linux

/// This host as a router between machines and the world, and no further.
enum Forwarding {
    /// What the names of all machines' devices start with.
    static let prefix = "tv"
    private static let guardTable = "table inet terrine_guard"

    /// The devices that lead to the world.
    static func uplinks() -> [String] {
        Array(Set(routes().filter { $0.range.bits == 0 }.map(\.device))).sorted()
    }

    static func mtu(_ device: String) -> UInt32? { readSmallFile("/sys/class/net/\(device)/mtu").flatMap { UInt32($0.filter(\.isNumber)) } }

    /// The uplinks that were switched on for machines, for whichever home; gone with the boot, as what it speaks of.
    private static let record = "/run/terrine-forwarding"

    /// Lets packets pass from the machine to the world and back.
    ///
    /// A host that did not route at all must not begin to route for its neighbours: what comes in from an uplink for anybody but machines is dropped
    /// there, as before.
    static func enable(for device: String, uplinks: [String]) throws {
        try writeSmallFile(setting(device), "1")
        let lock = try FileLock(record + ".lock")
        defer { withExtendedLifetime(lock) {} }
        let new = uplinks.filter { readSmallFile(setting($0))?.first == "0" }
        guard !new.isEmpty else { return }
        let all = Set(new).union(recorded()).sorted()
        let names = all.map { "\"\($0)\"" }.joined(separator: ", ")
        try NetworkRules.apply(
            """
            \(guardTable) {}
            delete \(guardTable)
            \(guardTable) {
              chain forward {
                type filter hook forward priority -20
                iifname { \(names) } oifname != "\(prefix)*" drop
              }
            }

            """, "guard this host's routing")
        try replaceFile(record, with: Array(all.joined(separator: "\n").utf8))
        for uplink in new { try writeSmallFile(setting(uplink), "1") }
    }

    /// With the last machine's device gone, this host routes no more if it did not before.
    static func disableWhenUnused() throws {
        let lock = try FileLock(record + ".lock")
        defer { withExtendedLifetime(lock) {} }
        let switched = recorded()
        guard !switched.isEmpty, !routes().contains(where: { $0.device.hasPrefix(prefix) }) else { return }
        // Whoever has made this a router in the meantime needs it on.
        if readSmallFile("/proc/sys/net/ipv4/ip_forward")?.first == "0" {
            for uplink in switched where access(setting(uplink), F_OK) == 0 { try writeSmallFile(setting(uplink), "0") }
        }
        try NetworkRules.apply("\(guardTable) {}\ndelete \(guardTable)\n", "take away the guard of this host's routing")
        unlink(record)
    }

    private static func recorded() -> [String] { (readSmallFile(record) ?? "").split(separator: "\n").map(String.init) }
    private static func setting(_ device: String) -> String { "/proc/sys/net/ipv4/conf/\(device)/forwarding" }

    /// Addresses for machines: a private range that no route of this host is about.
    static func rangeForMachines() -> IPv4Range {
        let taken = routes().filter { $0.range.bits > 0 && !$0.device.hasPrefix(prefix) }.map(\.range)
        let candidates = ["10.213.0.0/16", "172.30.0.0/16", "192.168.213.0/24", "198.19.0.0/16"].compactMap(IPv4Range.init)
        return candidates.first { range in !taken.contains { $0.overlaps(range) } } ?? candidates[0]
    }

    /// This host's routes. Source: proc_net(5), `route`.
    private static func routes() -> [(device: String, range: IPv4Range)] {
        (readSmallFile("/proc/net/route") ?? "").split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(whereSeparator: \.isWhitespace)
            // As the host's own byte order has them, from memory in network order.
            guard fields.count > 7, let destination = UInt32(fields[1], radix: 16), let mask = UInt32(fields[7], radix: 16) else { return nil }
            return (String(fields[0]), IPv4Range(IPv4Address(UInt32(bigEndian: destination)), bits: mask.nonzeroBitCount))
        }
    }
}
