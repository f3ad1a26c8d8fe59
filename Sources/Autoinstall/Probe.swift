/// Finds out what a repository needs, by reading it: no program of it is run, and nothing is asked of the network.
///
/// `Autoinstall` owns the way from a repository that nobody prepared to a recipe that works: what is needed (``Probe``), what ought to work (``Goal``), and
/// the recipe (``RecipeDraft``), and the loop that makes it work (``Healer``). All but the loop know neither machines nor the store, and the loop is given them.
/// `Docs/autoinstall.md` says how it decides.
public struct Probe: Sendable {
    private let home: String?
    private let knowledge: any PackageKnowledge

    /// - Parameter home: TERRINE_HOME, which may hold ecosystems.
    public init(home: String? = nil, knowledge: any PackageKnowledge = KnownPackages()) { (self.home, self.knowledge) = (home, knowledge) }

    public struct Result: Sendable {
        public let projects: [EcosystemProject]
        public let findings: [Finding]
        public let notes: [Note]
        /// The best first.
        public let goals: [Goal]
    }

    /// - Throws: ``RecipeDiagnostics`` when an ecosystem's definition cannot be used.
    public func run(_ repository: Repository) throws -> Result {
        let catalog = try EcosystemCatalog(home: home, repository: repository)
        let places = EcosystemProjects(repository: repository)
        // What builds in a folder of its own goes before what leaves its files among the sources.
        let ecosystems = catalog.ecosystems.filter { !$0.isInSources } + catalog.ecosystems.filter(\.isInSources)
        let all = ecosystems.flatMap { places.find($0) }
        // A guess counts where nothing better was found.
        let projects = all.filter { project in project.origin != .guess || !all.contains { $0.origin != .guess && $0.ecosystem.name != "make" } }
        var findings = Findings()
        let carrier = ScriptCarrier(covers: projects.flatMap(\.ecosystem.covers))
        Importers.run(ImportContext(repository: repository, carrier: carrier, knowledge: knowledge), &findings)
        for project in projects { EcosystemReader(repository: repository).read(project, &findings) }
        DependencyScanner.run(repository, knowledge, &findings)
        NativeLibraryScanner.run(repository, knowledge, &findings)
        SecretScanner.run(repository, &findings)
        ToolScanner.run(repository, knowledge, &findings)
        serviceGoals(&findings)
        let goals = findings.items.compactMap { item -> Goal? in if case .goal(let goal) = item.subject { goal } else { nil } }
        for note in repository.notes { findings.note(note) }
        if repository.files.contains(where: { $0.path == ".gitmodules" }) {
            findings.note("submodules must be there before a build: `git submodule update --init`", Evidence(file: ".gitmodules"))
        }
        if goals.isEmpty { findings.note("nothing here says what ought to work: there is no goal to check") }
        return Result(projects: projects, findings: findings.items, notes: findings.notes, goals: goals.ranked())
    }

    private func serviceGoals(_ findings: inout Findings) {
        var seen: Set<String> = []
        for item in findings.items {
            guard case .service(let use) = item.subject, item.origin != .guess, seen.insert(use.name).inserted,
                let probe = ServiceTable.known[use.name]?.probe
            else { continue }
            findings.add(.goal(Goal(.service, probe, evidence: item.evidence, origin: use.name, rank: 20)), item.origin, item.evidence)
        }
    }
}
