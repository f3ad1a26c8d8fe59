import Foundation

/// Who made an image, when, and how long it took: annotations of its manifest. No digest of an image depends on it.
public struct MakerNote: Sendable, Equatable {
    /// `user@host`.
    public var builder: String?
    public var milliseconds: Int?
    /// Of the repository whose recipe it was made by, in full.
    public var commit: String?
    /// RFC 3339.
    public var created: String?

    private static let builderKey = "dev.terrine.builder"
    private static let millisecondsKey = "dev.terrine.milliseconds"
    private static let commitKey = "org.opencontainers.image.revision"
    private static let createdKey = "org.opencontainers.image.created"

    /// Made here and now.
    public init(duration: Duration, commit: String? = nil) {
        let user = ProcessInfo.processInfo.userName
        builder = "\(user.isEmpty ? String(getuid()) : user)@\(ProcessInfo.processInfo.hostName)"
        milliseconds = Int(duration / .milliseconds(1))
        self.commit = commit
        created = Date().formatted(.iso8601)
    }

    init(_ annotations: [String: String]) {
        (builder, commit, created) = (annotations[Self.builderKey], annotations[Self.commitKey], annotations[Self.createdKey])
        milliseconds = annotations[Self.millisecondsKey].flatMap { Int($0) }
    }

    var annotations: [String: String] {
        var result: [String: String] = [:]
        result[Self.builderKey] = builder
        result[Self.millisecondsKey] = milliseconds.map { String($0) }
        result[Self.commitKey] = commit
        result[Self.createdKey] = created
        return result
    }
}
