/// What a machine reaches.
public enum NetworkChoice: Codable, Sendable, Hashable {
    case none
    /// The internet, but neither this host nor private ranges; `allow` names what of those it may reach: `host`, `host:port` or `address/bits`.
    case open(allow: [String])
}
