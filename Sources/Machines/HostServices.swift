import Foundation
import Glibc
import Linux
import Synchronization

/// What machines reach although it may be private: this host's resolvers, and the registries and proxies that it is configured for.
struct HostServices: Sendable, Equatable {
    /// A name or an address, and a port.
    struct Endpoint: Hashable, Sendable, Codable {
        var host: String
        var port: UInt16
    }

    var resolvers: [IPv4Address] = []
    /// Of configured registries and proxies.
    private(set) var endpoints: [Endpoint] = []
    /// Those of them on this host's loopback, by port: machines find them at the gateway.
    private(set) var loopback: [UInt16: IPv4Address] = [:]

    /// The resolver to pass questions on to, when this host's is on its loopback.
    var loopbackResolver: IPv4Address? { resolvers.contains { !$0.isLoopback } ? nil : resolvers.first }
    /// Ports of the gateway that lead on to services of this host.
    var served: [UInt16] { loopback.keys.sorted() + (loopbackResolver == nil ? [] : [53]) }

    /// Takes a URL's service in, and gives the URL as a machine must use it.
    mutating func use(_ text: String) -> String {
        guard let components = URLComponents(string: text.contains("://") ? text : "http://" + text), let host = components.host, !host.isEmpty else {
            return text
        }
        let standard: UInt16 = components.scheme == "https" ? 443 : 80
        let port = components.port.flatMap { UInt16(exactly: $0) } ?? standard
        guard let local = host == "localhost" ? IPv4Address(0x7f00_0001) : IPv4Address(host), local.isLoopback else {
            let endpoint = Endpoint(host: host, port: port)
            if !endpoints.contains(endpoint) { endpoints.append(endpoint) }
            return text
        }
        loopback[port] = local
        // Only the host's name: the rest, credentials and all, stays as it was written.
        guard let range = text.range(of: host) else { return text }
        return text.replacingCharacters(in: range, with: MachineNetwork.gateway.description)
    }

    /// - Parameter home: keeps what names were found to mean, so that not every start asks.
    func permissions(home: String) throws -> [NetworkRules.Permission] {
        var found = resolvers.filter { !$0.isLoopback }.map { NetworkRules.Permission(range: IPv4Range($0, bits: 32), port: 53) }
        let names = Set(endpoints.map(\.host)).filter { IPv4Address($0) == nil }
        let addresses = names.isEmpty ? [:] : try NameCache(home: home).addresses(of: names)
        for endpoint in endpoints {
            for address in IPv4Address(endpoint.host).map({ [$0] }) ?? addresses[endpoint.host] ?? [] {
                found.append(NetworkRules.Permission(range: IPv4Range(address, bits: 32), port: endpoint.port))
            }
        }
        return found
    }

    /// What an `--allow` means: `host`, `host:port`, `address` or `address/bits`.
    static func permissions(allowed text: String) throws -> [NetworkRules.Permission] {
        if let range = IPv4Range(text) { return [NetworkRules.Permission(range: range)] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let port = parts.count == 2 ? UInt16(parts[1]) : nil
        guard parts.count == 1 || port != nil, let host = parts.first, !host.isEmpty, !host.contains("/") else {
            throw MachineError("invalid", "`\(text)` cannot be allowed", fix: "say `host`, `host:port`, `address` or `address/bits` (IPv4)")
        }
        let addresses = IPv4Address(host).map { [$0] } ?? lookUp(host)
        if addresses.isEmpty {
            throw MachineError("invalid", "`\(text)` cannot be allowed", cause: "no host `\(host)` was found", fix: "check the name, or say an address")
        }
        return addresses.map { NetworkRules.Permission(range: IPv4Range($0, bits: 32), port: port) }
    }

    /// Asks this host's resolver; empty when there is no such name.
    static func lookUp(_ host: String) -> [IPv4Address] {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        return sequence(first: list, next: { $0?.pointee.ai_next }).compactMap { entry in
            entry?.pointee.ai_addr.map {
                $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { IPv4Address(UInt32(bigEndian: $0.pointee.sin_addr.s_addr)) }
            }
        }
    }
}

/// What names of configured services mean, remembered for ten minutes in `network/names.json`.
private struct NameCache {
    private struct Entry: Codable {
        var addresses: [UInt32]
        /// Seconds since 1970.
        var found: Double
    }
    private final class Answers: Sendable {
        let found = Mutex<[String: [IPv4Address]]>([:])
    }

    private let path: String

    init(home: String) { path = home + "/network/names.json" }

    func addresses(of names: Set<String>) throws -> [String: [IPv4Address]] {
        // A cache that cannot be read is an empty one.
        var table = (try? JSONDecoder().decode([String: Entry].self, from: Data(readFile(path)))) ?? [:]
        let now = Date().timeIntervalSince1970
        let stale = names.filter { name in table[name].map { !(now - 600...now).contains($0.found) } ?? true }
        if !stale.isEmpty {
            let answers = Answers()
            // A resolver that does not answer must not hold up every machine: what is not known by then is not permitted, and mostly need not be, being public.
            let thread = try PlainThread {
                for name in stale {
                    let found = HostServices.lookUp(name)
                    answers.found.withLock { $0[name] = found }
                }
            }
            waitUntil(lookingEvery: 2000, atMost: 1000) { thread.hasEnded }
            for (name, found) in answers.found.withLock({ $0 }) where !found.isEmpty { table[name] = Entry(addresses: found.map(\.value), found: now) }
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try replaceFile(path, with: Array(try JSONEncoder().encode(table)))
        }
        return table.filter { names.contains($0.key) }.mapValues { $0.addresses.map(IPv4Address.init) }
    }
}
