import Recipes

/// What an ecosystem's definition says of one project.
struct EcosystemReader {
    let repository: Repository
    private var places: EcosystemProjects { EcosystemProjects(repository: repository) }
    /// Folders whose modules are no part of what is shipped.
    private static let aside: Set = [
        "test", "tests", "testing", "docs", "doc", "examples", "example", "benchmarks", "scripts", "tools", "fixtures", "ci", "build",
    ]

    init(repository: Repository) { self.repository = repository }

    func read(_ project: EcosystemProject, _ findings: inout Findings) {
        let (ecosystem, folder) = (project.ecosystem, project.folder)
        if let language = ecosystem.language {
            findings.add(.language(language, nil), project.origin, project.evidence)
            for reader in ecosystem.versions {
                guard let hit = places.hits(reader.selector, in: folder, limit: 1).first else { continue }
                let text = reader.value.map { EcosystemProjects.fill($0, hit.values) ?? "" } ?? hit.values["1"] ?? ""
                if let constraint = VersionConstraint(text, bare: reader.bare) { findings.add(.language(language, constraint), .manifest, hit.evidence) }
            }
        }
        if let build = ecosystem.buildSystem { findings.add(.buildSystem(build), project.origin, project.evidence) }
        for set in ecosystem.packages {
            guard let evidence = places.holds(set.condition, in: folder, otherwise: project.evidence) else { continue }
            packages(set.packages, project.origin, evidence, &findings)
        }
        for install in ecosystem.installs { read(install, project, &findings) }
        for (name, value) in ecosystem.env.sorted(by: { $0.key < $1.key }) { findings.add(.variable(name, value: value), .environment, project.evidence) }
        steps(project, &findings)
        for command in ecosystem.commands { goals(command, project, &findings) }
    }

    private func packages(_ lists: [String: [String]], _ origin: Finding.Origin, _ evidence: Evidence, _ findings: inout Findings) {
        for (manager, names) in lists.sorted(by: { $0.key < $1.key }) {
            for name in names { findings.add(manager == "apt" ? .systemPackage(name) : .package(manager: manager, name: name), origin, evidence) }
        }
    }

    private func inside(_ folder: String, _ path: String) -> String { folder.isEmpty ? path : "\(folder)/\(path)" }

    private func read(_ install: Ecosystem.Install, _ project: EcosystemProject, _ findings: inout Findings) {
        guard places.holds(install.condition, in: project.folder, otherwise: project.evidence) != nil else { return }
        switch install.what {
        case .project(let lock):
            let path = inside(project.folder, lock)
            guard repository.contains(path) else { return }
            findings.add(.lockFile(manager: install.manager, file: path), .manifest, Evidence(file: path))
            findings.add(.project(manager: install.manager, folder: project.folder.isEmpty ? "." : project.folder), .manifest, Evidence(file: path))
        case .files(let key, let glob, let unlessLine):
            for file in repository.files(matching: glob, in: project.folder).prefix(20) {
                guard let source = repository.text(file.path) else { continue }
                if let unlessLine, let match = source.matches(unlessLine, limit: 1).first {
                    findings.note("\(file.path) names the repository itself, which a package layer cannot hold", source.evidence(match.line))
                    continue
                }
                findings.add(.packageFile(manager: install.manager, key: key, file: file.path), .manifest, source.evidence)
            }
        }
    }

    private func steps(_ project: EcosystemProject, _ findings: inout Findings) {
        var made: Set<String> = []
        for step in project.ecosystem.steps where !made.contains(step.name) {
            guard var evidence = places.holds(step.condition, in: project.folder, otherwise: project.evidence) else { continue }
            var run = step.run
            if let each = step.each {
                guard let hit = places.hits(each, in: project.folder, limit: 1).first, let filled = EcosystemProjects.fill(run, hit.values) else { continue }
                (run, evidence) = (filled, hit.evidence)
            }
            made.insert(step.name)
            if !project.folder.isEmpty { run = "cd \(ShellQuote.word(project.folder))\n\(run)" }
            let name = project.folder.isEmpty ? step.name : "\(step.name) \(project.folder.replacing("/", with: " "))"
            var draft = StepDraft(name, run, inputs: step.inputs?.map { inside(project.folder, $0) }, caches: step.caches)
            draft.ecosystem = project.ecosystem.name
            findings.add(.step(draft), project.origin == .guess ? .guess : .manifest, evidence)
        }
    }

    private func goals(_ command: Ecosystem.Command, _ project: EcosystemProject, _ findings: inout Findings) {
        guard let held = places.holds(command.condition, in: project.folder, otherwise: project.evidence) else { return }
        var commands: [(run: String, name: String?, evidence: Evidence)] = []
        if let each = command.each {
            for hit in places.hits(each, in: project.folder) {
                let folders = (hit.values["folder"] ?? "").split(separator: "/").map { $0.lowercased() }
                if command.kind != .test, folders.contains(where: Self.aside.contains) { continue }
                if let run = EcosystemProjects.fill(command.run, hit.values) {
                    commands.append((run, command.name.flatMap { EcosystemProjects.fill($0, hit.values) }, hit.evidence))
                }
                if commands.count == 8 { break }
            }
        } else {
            commands = [(command.run, command.name, held)]
        }
        for (run, name, evidence) in commands {
            let text = project.folder.isEmpty ? run : "cd \(ShellQuote.word(project.folder)) && \(run)"
            let title = "\(command.kind.rawValue): \(name ?? run)" + (project.folder.isEmpty ? "" : " in \(project.folder)")
            let goal = Goal(
                command.kind, text, name: title, exit: command.exit, pattern: command.pattern, runner: command.runner, evidence: evidence,
                origin: project.ecosystem.name, rank: command.rank)
            findings.add(.goal(goal), project.origin, evidence)
            if let runner = command.runner { findings.add(.testRunner(runner), project.origin, evidence) }
            packages(command.packages, project.origin, evidence, &findings)
        }
    }
}
