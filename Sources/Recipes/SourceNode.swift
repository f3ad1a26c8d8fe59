/// A YAML node with its place: what the decoder works on (Yams' own nodes end at `RecipeSource`).
package struct SourceNode: Sendable {
    package indirect enum Value: Sendable {
        /// The text as written; `plain` when it was not quoted.
        case scalar(String, plain: Bool)
        case list([SourceNode])
        case map([Entry])
    }

    package struct Entry: Sendable {
        package let key: String
        package let location: SourceLocation
        package var value: SourceNode
        /// The same key stands earlier in this mapping.
        var isRepeated = false
    }

    package var value: Value
    package let location: SourceLocation

    /// Nothing was written, or `null`.
    package var isNull: Bool {
        if case .scalar(let text, plain: true) = value { return ["", "~", "null", "Null", "NULL"].contains(text) }
        return false
    }

    /// What this is, in words for a diagnostic.
    package var found: String {
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
