/// What went wrong with a remote, for a person: what, where, and how to mend it.
public struct RemoteError: Error, Sendable, CustomStringConvertible {
    /// A stable word for programs: `unreachable`, `unauthorized`, `denied`, `notFound`, `busy`, `corrupt`, `untrusted`, `unsigned`, `invalid`, …
    public let code: String
    /// What happened and to what, in one sentence.
    public let message: String
    /// What lies behind it, if anything does.
    public let cause: String?
    /// The command or the change that mends it.
    public let fix: String?

    public init(_ code: String, _ message: String, cause: String? = nil, fix: String? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
        self.fix = fix
    }

    public var description: String {
        var text = message
        if let cause { text += ": \(cause)" }
        if let fix { text += "; \(fix)" }
        return text
    }
}
