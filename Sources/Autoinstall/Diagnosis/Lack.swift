/// Something that the environment does not have, and where a failure says so.
public struct Lack: Hashable, Sendable, Codable, CustomStringConvertible {
    /// In the order in which they are worth mending: what is first may be why the later ones are there.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        case disk, memory
        case processes
        case openFiles = "open-files"
        case inotify
        case sharedMemory = "shared-memory"
        case network
        case certificates
        case submodule
        case largeFiles = "large-files"
        case repository
        case gitIdentity = "git-identity"
        case gitOwnership = "git-ownership"
        case lockFile = "lock-file"
        /// An interpreter or tool of another version than there is; the subject is its name, ``Lack/detail`` the version that is wanted.
        case version
        case compiler, command
        /// A Debian package by name: the failure itself says which.
        case package
        case pkgConfig = "pkg-config"
        case cmake, header
        case linkLibrary = "link-library"
        case sharedLibrary = "shared-library"
        /// Something by a name of which nothing says whether it is a program, a library or a module.
        case dependency
        case file
        /// A module or package of a language.
        case module
        /// A distribution or package with a version, as its manager takes it.
        case requirement
        case testPlugin = "test-plugin"
        /// A package of a language could not be compiled, and nothing says why.
        case nativeBuild = "native-build"
        case managedEnvironment = "managed-environment"
        case locale, timezone
        case home, user
        /// It refuses to be run by root.
        case unprivileged
        case permission, capability, terminal, display
        case messageBus = "message-bus"
        case service, database, role, port
        case variable, secret
        case time
        case failingTest = "failing-test"
    }

    public enum Confidence: String, Sendable, Codable, Comparable, CaseIterable {
        case possible, likely, certain

        public static func < (a: Confidence, b: Confidence) -> Bool {
            (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
        }
    }

    public var kind: Kind
    public var subject: String
    /// Whose module or requirement it is: `python`, `node`, `perl`, …; for a service's database or role the service.
    public var language: String?
    /// A version, a value, or what else belongs to it.
    public var detail: String?
    /// The line that says so.
    public var evidence: String
    /// Of the output, from 1; 0 when it does not stand there.
    public var line: Int
    public var confidence: Confidence
    /// The rule or diagnoser that found it.
    public var rule: String

    public init(
        _ kind: Kind, _ subject: String, language: String? = nil, detail: String? = nil, evidence: String, line: Int = 0,
        confidence: Confidence = .certain, rule: String
    ) {
        (self.kind, self.subject, self.language, self.detail) = (kind, subject, language, detail)
        (self.evidence, self.line, self.confidence, self.rule) = (Evidence.shown(evidence), line, confidence, rule)
    }

    /// `module python yaml`.
    public var description: String { ([kind.rawValue] + [language, subject, detail].compactMap { $0 }).joined(separator: " ") }
}
