/// A git repository on a disk, and where it stands.
public struct SourceCheckout: Hashable, Sendable {
    /// The work tree's folder, from the disk's root, without a leading `/`.
    public var path: String
    /// In full.
    public var commit: String
    /// Where it was cloned from; nil when it does not say. Never with a password in it.
    public var url: String?

    /// - Parameter folder: a `.git`; nil when it is none, or before a first commit.
    init?(at path: String, git folder: FileFolder) throws {
        func text(_ names: String...) throws -> String? {
            var node = FileNode(.folder(folder), mode: 0)
            for name in names {
                guard let next = node.folder?[ByteString(name)] else { return nil }
                node = next
            }
            return try node.content.map { String(decoding: try $0.bytes(limit: 16 << 20), as: UTF8.self) }
        }
        guard let head = try text("HEAD")?.trimmed else { return nil }
        var commit = head
        if head.hasPrefix("ref: ") {
            let name = String(head.dropFirst(5))
            var node: FileNode? = FileNode(.folder(folder), mode: 0)
            for part in name.split(separator: "/") { node = node?.folder?[ByteString(String(part))] }
            if let content = node?.content {
                commit = String(decoding: try content.bytes(), as: UTF8.self).trimmed
            } else {
                let line = try text("packed-refs")?.split(separator: "\n").first { $0.hasSuffix(" " + name) }
                guard let line else { return nil }
                commit = String(line.prefix { $0 != " " })
            }
        }
        guard commit.wholeMatch(of: /[0-9a-f]{40}|[0-9a-f]{64}/) != nil else { return nil }
        (self.path, self.commit) = (path, commit)
        url = try text("config").flatMap(Self.origin)
    }

    /// The `url` of `[remote "origin"]`.
    private static func origin(_ config: String) -> String? {
        var isOrigin = false
        for line in config.split(separator: "\n").map(\.trimmed) {
            if line.hasPrefix("[") {
                isOrigin = line == #"[remote "origin"]"#
            } else if isOrigin, line.hasPrefix("url"), let equals = line.firstIndex(of: "=") {
                return withoutCredentials(line[line.index(after: equals)...].trimmed)
            }
        }
        return nil
    }

    /// `https://user:secret@host/x` without `user:secret@`.
    private static func withoutCredentials(_ url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        let rest = url[scheme.upperBound...]
        guard let at = rest.prefix(while: { $0 != "/" }).lastIndex(of: "@"), !url.hasPrefix("ssh") else { return url }
        return String(url[..<scheme.upperBound] + rest[rest.index(after: at)...])
    }
}
