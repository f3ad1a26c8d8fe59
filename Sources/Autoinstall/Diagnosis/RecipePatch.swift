/// One change of a recipe; whoever holds the recipe carries it out.
public enum RecipePatch: Hashable, Sendable, Codable {
    /// An entry of a manager's list: `apt`, `pip`, `npm`, `gem`, `cargo`, `go`.
    case package(manager: String, name: String)
    /// A file or folder of the workspace that a manager installs from, such as pip's `requirements`, npm's `project`.
    case manifest(manager: String, key: String, file: String)
    case variable(name: String, value: String)
    /// A service of the table of services, with what the repository calls its parts; `host` is a name that must mean this machine.
    case service(name: String, database: String?, user: String?, host: String?)
    /// A step before the repository's own.
    case step(name: String, run: String)
    /// Another base.
    case base(String)
    /// So many times what there is.
    case memory(times: Int)
    case disk(times: Int)
    case network(build: Bool, run: Bool)
    /// Shell commands in front of every goal, in the same shell.
    case goalPrefix(String)
    /// Goals run as this user, who owns the workspace.
    case goalUser(String)
    /// A value that is clearly none, in the place of a secret.
    case secretStandIn(name: String, value: String)
    /// What the clone of the workspace is to have: submodules, large files, history.
    case checkout(Checkout)

    public enum Checkout: String, Sendable, Codable {
        case submodules, history
        case largeFiles = "large-files"
    }
}

/// A way to mend a lack: patches that belong together, and why.
public struct Remedy: Hashable, Sendable, Codable {
    /// Where it comes from; the first of these are tried first.
    public enum Source: String, Sendable, Codable, CaseIterable, Comparable {
        /// The repository's own files say so.
        case declared
        /// The language's package manager has it.
        case language
        case distribution
        /// A setting of the machine or the environment.
        case environment
        /// Something local or made up in the place of what cannot be had.
        case standIn = "stand-in"
        /// A model says so, and nobody else has an answer.
        case model

        public static func < (a: Source, b: Source) -> Bool { (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0) }
    }

    public let lack: Lack
    public let source: Source
    public let patches: [RecipePatch]
    /// One line for the diff.
    public let reason: String

    public init(_ lack: Lack, _ source: Source, _ patches: [RecipePatch], _ reason: String) {
        (self.lack, self.source, self.patches) = (lack, source, patches)
        self.reason = Evidence.shown(reason)
    }
}

/// What no recipe can mend, and who can.
public struct Blocker: Hashable, Sendable, Codable {
    public enum Party: String, Sendable, Codable {
        case repositoryOwner = "repository-owner"
        case hostAdministrator = "host-administrator"
        case secretHolder = "secret-holder"
        case networkAdministrator = "network-administrator"
        case upstream
    }

    public let kind: String
    public let subject: String
    public let evidence: String
    public let suggestedFix: String
    public let whoCanFix: Party

    private enum CodingKeys: String, CodingKey {
        case kind, subject, evidence
        case suggestedFix = "suggested_fix"
        case whoCanFix = "who_can_fix"
    }

    /// Of what no diagnoser names.
    init(_ kind: String, _ subject: String, _ evidence: String, _ suggestedFix: String, _ whoCanFix: Party) {
        (self.kind, self.subject, self.evidence) = (kind, subject, Evidence.shown(evidence))
        (self.suggestedFix, self.whoCanFix) = (suggestedFix, whoCanFix)
    }

    public init(_ lack: Lack, _ suggestedFix: String, _ whoCanFix: Party) {
        (kind, subject, evidence) = (lack.kind.rawValue, lack.subject, lack.evidence)
        (self.suggestedFix, self.whoCanFix) = (suggestedFix, whoCanFix)
    }
}

/// What can be done about a lack: remedies in the order in which they are to be tried, and what is left when none helps.
public struct Advice: Hashable, Sendable, Codable {
    public let remedies: [Remedy]
    public let blocker: Blocker
}
