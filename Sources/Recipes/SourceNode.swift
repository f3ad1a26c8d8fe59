/// A YAML node with its place: what the decoder works on (Yams' own nodes end at `RecipeSource`).
struct SourceNode: Sendable {
    indirect enum Value: Sendable {
        /// The text as written; `plain` when it was not quoted.
        case scalar(String, plain: Bool)
        case list([SourceNode])
        case map([Entry])
    }

    struct Entry: Sendable {
        let key: String
        let location: SourceLocation
        var value: SourceNode
        /// The same key stands earlier in this mapping.
        var isRepeated = false
    }

    var value: Value
    let location: SourceLocation

    /// Nothing was written, or `null`.
    var isNull: Bool {
        if case .scalar(let text, plain: true) = value { return ["", "~", "null", "Null", "NULL"].contains(text) }
        return false
    }

    /// What this is, in words for a diagnostic.
    var found: String {
        switch value {
        case .list: return "a list"
        case .map: return "a mapping"
        case .scalar(let text, let plain):
            if isNull { return "nothing" }
            let shown = text.unicodeScalars.contains { $0 == "\n" } ? "text of several lines" : "`\(text)`"
            return plain ? shown : shown.hasPrefix("`") ? "the text \"\(text)\"" : shown
        }
    }
}
