/// Who maintains a package, from `Name <mail@example.com>`.
public struct Contact: Hashable, Sendable {
    public let name: String
    /// Nil when none is given, or what is given is none.
    public let mail: String?

    /// Nil for a text without a name.
    init?(_ text: String) {
        let parts = text.split(separator: "<", maxSplits: 1)
        let given = parts.count > 1 ? parts[1].prefix { $0 != ">" } : nil
        let words = (parts.first ?? "").split { $0.isWhitespace || "()\"".contains($0) }.joined(separator: " ")
        mail = given.flatMap { $0.wholeMatch(of: /[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/) != nil ? String($0) : nil }
        guard let name = words.isEmpty ? mail : words else { return nil }
        self.name = name
    }

    /// Teams call themselves so.
    var isTeam: Bool {
        let name = name.lowercased()
        return ["team", "maintainers", "developers", "group", "project", "packagers", "authors"].contains { name.contains($0) }
    }
}

/// An address of the web that both formats take.
enum WebAddress {
    static func checked(_ text: String) -> String? {
        text.wholeMatch(of: /https?:\/\/[A-Za-z0-9]+(?:[-.][A-Za-z0-9]+)*\.[A-Za-z]{2,}(:[0-9]{1,5})?(\/[A-Za-z0-9._~:\/?#@!$&'()*+,;=%-]*)?/) == nil
            ? nil : text
    }
}
