/// Which distribution a disk holds, as its os-release says.
///
/// Source: os-release(5)
public struct SystemRelease: Hashable, Sendable {
    /// Such as `debian`.
    public var id: String
    /// Such as `12`; nil where there are no releases.
    public var version: String?
    /// For people.
    public var name: String

    init?(_ bytes: [UInt8]) {
        var values: [String: String] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1).map(\.trimmed)
            if parts.count == 2, !parts[0].hasPrefix("#") { values[parts[0]] = parts[1].filter { $0 != "\"" && $0 != "'" } }
        }
        guard let id = values["ID"], !id.isEmpty else { return nil }
        (self.id, version, name) = (id, values["VERSION_ID"], values["PRETTY_NAME"] ?? values["NAME"] ?? id)
    }
}
