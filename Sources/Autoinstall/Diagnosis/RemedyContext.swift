/// What remedies depend on beside the lack itself: the suite, and what the repository says of itself.
public struct RemedyContext: Sendable {
    public var knowledge: IndexedPackages
    /// The base's suite: `bookworm`.
    public var suite: String
    /// Where the workspace is in the machine.
    public var workspace: String
    /// Files of the repository, from its root.
    public var files: Set<String>
    /// Names that the repository itself has, by language: a module of its own that is not found was not installed, not missed.
    public var ownNames: [String: Set<String>]
    /// What its manifests ask for, by language: a name in its language's own spelling (Python: normalised) -> a requirement with its version.
    public var declared: [String: [String: String]]
    /// Secrets that a goal looks at: no value can stand in for them.
    public var checkedSecrets: Set<String>
    /// Services that can stand in: those of the table that have a program.
    public var services: ServiceTable
    /// Registries that could not be reached so far.
    public var unreachable: Set<Registry> = []

    public init(
        knowledge: IndexedPackages, suite: String = "bookworm", workspace: String = "/workspace", files: Set<String> = [],
        ownNames: [String: Set<String>] = [:],
        declared: [String: [String: String]] = [:], checkedSecrets: Set<String> = [], services: ServiceTable = .known
    ) {
        (self.knowledge, self.suite, self.workspace, self.files) = (knowledge, suite, workspace, files)
        (self.ownNames, self.declared, self.checkedSecrets, self.services) = (ownNames, declared, checkedSecrets, services)
    }

    func has(_ names: String...) -> Bool { names.contains { files.contains($0) } }

    func declares(_ language: String, _ name: String) -> String? { declared[language]?[name] }

    func owns(_ language: String, _ name: String) -> Bool { ownNames[language]?.contains(name) == true }
}
