import ChunkStore

/// Where an image is in a registry: `HOST[:PORT]/PATH[:TAG]`, or with `@sha256:…` in the place of the tag.
public struct RemoteName: Sendable, Hashable, CustomStringConvertible {
    /// With its port, if it has one.
    public let host: String
    /// Below the host: `team/project`.
    public let repository: String
    /// A tag, or a digest with its `sha256:`.
    public var reference: String

    public var description: String { repositoryName + (reference.hasPrefix("sha256:") ? "@" : ":") + reference }
    /// Without a tag.
    public var repositoryName: String { "\(host)/\(repository)" }

    /// - Parameter tag: when the text has none.
    /// - Throws: ``RemoteError`` `invalid`.
    public init(_ text: String, tag: String = "latest") throws {
        func wrong(_ cause: String) -> RemoteError {
            RemoteError(
                "invalid", "`\(text)` is no remote", cause: cause,
                fix: "say HOST[:PORT]/PATH[:TAG], such as registry.example.com/team/image:1; the host is never guessed")
        }
        if text.contains("://") { throw wrong("it begins with a scheme") }
        guard let slash = text.firstIndex(of: "/") else { throw wrong("it has no host before a `/`") }
        host = String(text[..<slash])
        guard host.contains(".") || host.contains(":") || host == "localhost", host.wholeMatch(of: /(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.\-]+)(:[0-9]{1,5})?/) != nil
        else { throw wrong("`\(host)` is no host: it has neither a dot nor a port") }
        var rest = String(text[text.index(after: slash)...])
        var reference = tag
        if let at = rest.firstIndex(of: "@") {
            reference = String(rest[rest.index(after: at)...])
            rest = String(rest[..<at])
            // A tag beside a digest says nothing more.
            if let colon = rest.lastIndex(of: ":") { rest = String(rest[..<colon]) }
            guard reference.hasPrefix("sha256:"), Digest(reference) != nil else { throw wrong("`\(reference)` is no digest") }
        } else if let colon = rest.lastIndex(of: ":") {
            reference = String(rest[rest.index(after: colon)...])
            rest = String(rest[..<colon])
            guard reference.wholeMatch(of: /[A-Za-z0-9_][A-Za-z0-9._\-]{0,127}/) != nil else { throw wrong("`\(reference)` is no tag") }
        }
        guard rest.wholeMatch(of: /[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*/) != nil else {
            throw wrong("`\(rest)` is no path of a registry: small letters, digits and `.`, `_`, `-`, `/` between them")
        }
        (repository, self.reference) = (rest, reference)
    }

    func with(_ reference: String) -> RemoteName {
        var copy = self
        copy.reference = reference
        return copy
    }
}
