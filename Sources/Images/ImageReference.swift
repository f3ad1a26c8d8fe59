import ChunkStore

/// A name for an image in this store.
public struct ImageReference: Sendable, Codable, Equatable {
    /// `name:tag`.
    public var name: String
    public var digest: Digest

    /// `name` with the tag `latest` if it has none.
    ///
    /// - Throws: ``ImageError`` `invalid`.
    public static func normal(_ text: String) throws -> String {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        func isGood(_ part: Substring, _ pattern: Regex<Substring>) -> Bool { part.count <= 128 && part.wholeMatch(of: pattern) != nil }
        guard parts.count <= 2, isGood(parts[0], /[a-z0-9]+(?:[._\/-][a-z0-9]+)*/), parts.count == 1 || isGood(parts[1], /[A-Za-z0-9_][A-Za-z0-9._-]*/) else {
            throw ImageError(
                "invalid", "`\(text)` cannot name an image",
                fix: "a name is `name` or `name:tag`: small letters, digits and `.`, `_`, `-`, `/` between them; a tag may have capitals")
        }
        return parts.count == 2 ? text : text + ":latest"
    }
}
