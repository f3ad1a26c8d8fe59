/// One thing that the repository needs, with where it says so.
public struct Finding: Hashable, Sendable {
    /// How much weight a source has; where two contradict each other, the first of these counts.
    public enum Origin: Int, Sendable, Comparable, CaseIterable {
        /// A file that describes an environment: a devcontainer, a Dockerfile, a setup workflow.
        case environment
        /// The repository's own manifests: what its packagers and build tools read.
        case manifest
        /// What its code looks like.
        case guess

        public static func < (a: Origin, b: Origin) -> Bool { a.rawValue < b.rawValue }
    }

    public let subject: Subject
    public let origin: Origin
    public let evidence: Evidence

    public init(_ subject: Subject, _ origin: Origin, _ evidence: Evidence) {
        (self.subject, self.origin, self.evidence) = (subject, origin, evidence)
    }
}

/// What a ``Finding`` is about.
public enum Subject: Hashable, Sendable {
    /// A base by name, such as `debian-trixie`.
    case base(String)
    /// A language by its name in the table of suites, and the versions of it that will do.
    case language(String, VersionConstraint?)
    /// A Debian package.
    case systemPackage(String)
    /// A package of another manager's list.
    case package(manager: String, name: String)
    /// A file by which a manager installs, such as pip's requirements.
    case packageFile(manager: String, key: String, file: String)
    /// A folder with a manager's manifest and lock file.
    case project(manager: String, folder: String)
    case lockFile(manager: String, file: String)
    case buildSystem(String)
    case testRunner(TestSummary.Runner)
    case library(NativeLibrary)
    case service(ServiceUse)
    /// A command that scripts, Makefiles or CI call.
    case tool(String)
    case secret(String, isRequired: Bool)
    case variable(String, value: String)
    case port(Int)
    /// Who works in the environment. Noted only: a recipe's machine has no users but the distribution's.
    case user(String)
    /// Where the repository is in the machine.
    case workspace(String)
    case resources(cpus: Int?, memory: String?, disk: String?)
    case step(StepDraft)
    case goal(Goal)
}

/// A library that the repository's build looks for, by the name that the build knows.
public enum NativeLibrary: Hashable, Sendable, CustomStringConvertible {
    case pkgConfig(String)
    case cmake(String)
    case header(String)
    /// `z` of `-lz`.
    case linked(String)

    public var description: String {
        switch self {
        case .pkgConfig(let name): "pkg-config \(name)"
        case .cmake(let name): "CMake package \(name)"
        case .header(let name): "<\(name)>"
        case .linked(let name): "-l\(name)"
        }
    }
}

/// A service that the repository talks to.
public struct ServiceUse: Hashable, Sendable {
    /// As in the table of services: `postgresql`.
    public var name: String
    public var database: String?
    public var user: String?
    public var password: String?

    public init(_ name: String, database: String? = nil, user: String? = nil, password: String? = nil) {
        (self.name, self.database, self.user, self.password) = (name, database, user, password)
    }
}

/// A build step on its way into a recipe.
public struct StepDraft: Hashable, Sendable {
    public var name: String
    public var run: String
    /// Globs; nil: every file of the workspace.
    public var inputs: [String]?
    public var caches: [String] = []
    /// Whose definition it is; nil for what an environment format says.
    public var ecosystem: String?

    public init(_ name: String, _ run: String, inputs: [String]? = nil, caches: [String] = []) {
        (self.name, self.run, self.inputs, self.caches) = (name, run, inputs, caches)
    }
}

/// Findings and notes as they are collected.
public struct Findings: Sendable {
    public private(set) var items: [Finding] = []
    public private(set) var notes: [Note] = []
    private var seen: Set<Finding> = []
    private var told: Set<Note> = []
    /// More says nothing more.
    private static let limit = 5000

    public init() {}

    public mutating func add(_ subject: Subject, _ origin: Finding.Origin, _ evidence: Evidence) {
        let finding = Finding(subject, origin, evidence)
        if items.count < Self.limit, seen.insert(finding).inserted { items.append(finding) }
    }

    public mutating func note(_ message: String, _ evidence: Evidence? = nil) { note(Note(message, evidence)) }

    public mutating func note(_ note: Note) { if notes.count < Self.limit, told.insert(note).inserted { notes.append(note) } }
}
