import Recipes

extension RecipeDraft {
    /// What a probe found, as a recipe.
    ///
    /// - Parameter name: of the recipe, as far as its letters can stand in one.
    public init(_ result: Probe.Result, name: String, knowledge: any PackageKnowledge = KnownPackages()) {
        self.init(name: name)
        notes = result.notes
        var maker = DraftMaker(draft: self, projects: result.projects, findings: result.findings, knowledge: knowledge)
        maker.make(result.goals)
        self = maker.draft
    }
}

/// Turns findings into entries, section by section.
struct DraftMaker {
    var draft: RecipeDraft
    let projects: [EcosystemProject]
    let findings: [Finding]
    let knowledge: any PackageKnowledge

    private static let limits: [Goal.Kind: Int] = [.test: 4, .build: 8, .imports: 8, .service: 6, .help: 6, .version: 6, .lint: 4]

    /// Each subject once, with all its evidence, by the order of origins.
    private func merged<Value: Hashable>(_ pick: (Subject) -> Value?) -> [(value: Value, origin: Finding.Origin, evidence: [Evidence])] {
        var order: [Value] = []
        var found: [Value: (Finding.Origin, [Evidence])] = [:]
        for finding in findings.sorted(by: { $0.origin < $1.origin }) {
            guard let value = pick(finding.subject) else { continue }
            if let known = found[value] {
                if known.1.count < 20, !known.1.contains(finding.evidence) { found[value] = (known.0, known.1 + [finding.evidence]) }
            } else {
                order.append(value)
                found[value] = (finding.origin, [finding.evidence])
            }
        }
        return order.compactMap { value in found[value].map { (value, $0.0, $0.1) } }
    }

    mutating func make(_ goals: [Goal]) {
        base()
        packages()
        services()
        managers()
        steps()
        environment()
        rest()
        checks(goals)
    }

    // MARK: Base

    private mutating func base() {
        var wants: [(language: String, constraint: VersionConstraint, origin: Finding.Origin, evidence: Evidence)] = []
        for finding in findings {
            guard case .language(let language, let constraint) = finding.subject, let constraint else { continue }
            wants.append((language, constraint, finding.origin, finding.evidence))
        }
        wants.sort { $0.origin < $1.origin }
        let asked = merged { if case .base(let name) = $0 { name } else { nil } }.first
        let suites = Suites.known
        // Of each language the strongest source counts ten times what others say.
        let strongest = Dictionary(wants.map { ($0.language, $0.origin) }) { min($0, $1) }
        let weighted = wants.flatMap { want in
            Array(repeating: (language: want.language, constraint: want.constraint), count: want.origin == strongest[want.language] ? 10 : 1)
        }
        let preferred = asked.map { String($0.value.dropFirst("debian-".count)) }
        let suite = suites.best(for: weighted, preferred: preferred)
        var evidence = asked.map { $0.value == "debian-\(suite)" ? $0.evidence : [] } ?? []
        var why: String?
        if evidence.isEmpty {
            let reasons = wants.filter { suites.misfit(suite, $0.language, $0.constraint) == 0 && suites.misfit("bookworm", $0.language, $0.constraint) != 0 }
            evidence = reasons.map(\.evidence)
            why = reasons.first.map { "\($0.language) \($0.constraint)" }
        }
        draft.base = .init("debian-\(suite)", Array(evidence.prefix(3)), why: why)
        if let asked, asked.value != "debian-\(suite)", let first = wants.first(where: { suites.misfit(suite, $0.language, $0.constraint) == 0 }) {
            draft.notes.append(
                Note("\(asked.value) has no \(first.language) \(first.constraint) of its own: the recipe begins with debian-\(suite)", asked.evidence[0]))
        }
        tellUnmet(wants.map { ($0.language, $0.constraint, $0.evidence) }, suite)
    }

    private mutating func tellUnmet(_ wants: [(language: String, constraint: VersionConstraint, evidence: Evidence)], _ suite: String) {
        let suites = Suites.known
        var told: Set<String> = []
        for want in wants where suites.knows(want.language) && suites.misfit(suite, want.language, want.constraint) != 0 {
            guard told.insert(want.language + want.constraint.text).inserted else { continue }
            let has = suites.versions(of: want.language, in: suite).map(\.description).joined(separator: " and ")
            let other = suites.names.first { suites.misfit($0, want.language, want.constraint) == 0 }
            let rest = other.map { "debian-\($0) would have it" } ?? "no Debian suite has it"
            draft.notes.append(Note("\(want.language) \(want.constraint): debian-\(suite) has \(has); \(rest)", want.evidence))
        }
        for finding in findings {
            guard case .language(let language, _) = finding.subject, suites.lacks(language), told.insert(language).inserted else { continue }
            draft.notes.append(Note("Debian has no package of \(language): install it in a step", finding.evidence))
        }
    }

    // MARK: Packages

    private static let unlessPresent: [String: Set<String>] = [
        "gcc": ["build-essential"], "g++": ["build-essential"], "make": ["build-essential"], "libc6-dev": ["build-essential"],
    ]

    private mutating func packages() {
        for (name, _, evidence) in merged({ if case .systemPackage(let name) = $0 { name } else { nil } }) { add(name, evidence, nil) }
        for (library, origin, evidence) in merged({ if case .library(let library) = $0 { library } else { nil } }) {
            let names = knowledge.packages(for: library)
            for name in names { add(name, evidence, library.description) }
            // A library that is linked by a name that nobody knows is mostly the build's own.
            if names.isEmpty, origin != .guess, let first = evidence.first {
                if case .linked = library { continue }
                draft.notes.append(Note("nobody knows which package has \(library)", first))
            }
        }
        for (tool, _, evidence) in merged({ if case .tool(let name) = $0 { name } else { nil } }) {
            for name in knowledge.packages(forCommand: tool) { add(name, evidence, tool == name ? nil : "for \(tool)") }
        }
        languages()
        // What a package brings along anyway says nothing.
        let names = Set((draft.packages["apt"] ?? []).map(\.value))
        draft.packages["apt"]?.removeAll { Self.unlessPresent[$0.value].map { !$0.isDisjoint(with: names) } ?? false }
    }

    private mutating func add(_ name: String, _ evidence: [Evidence], _ why: String?) {
        for place in evidence { draft.add(name, place, why: why) }
    }

    /// A language that an environment format names without an ecosystem in the repository is wanted all the same.
    private mutating func languages() {
        let packages: [String: [String]] = [
            "python": ["python3", "python3-venv"], "node": ["nodejs", "npm"], "go": ["golang-go"], "rust": ["cargo", "rustc"], "ruby": ["ruby", "ruby-dev"],
            "php": ["php-cli"], "java": ["default-jdk-headless"], "perl": ["perl"], "elixir": ["elixir"], "erlang": ["erlang-base"],
            "haskell": ["cabal-install", "ghc"],
            "ocaml": ["ocaml"], "lua": ["lua5.4"], "r": ["r-base-core"], "gcc": ["build-essential"], "cmake": ["cmake"], "meson": ["meson"], "tcl": ["tcl"],
        ]
        for finding in findings where finding.origin != .guess {
            guard case .language(let language, _) = finding.subject, let names = packages[language] else { continue }
            if projects.contains(where: { $0.ecosystem.language == language }) { continue }
            let have = draft.packages["apt"]?.contains { entry in names.contains { $0 == entry.value } } ?? false
            if !have { for name in names { draft.add(name, finding.evidence) } }
        }
    }

    // MARK: Managers

    private mutating func managers() {
        let files = merged { subject -> RecipeDraft.ManagerKeyFile? in
            if case .packageFile(let manager, let key, let file) = subject { .init(key: .init(manager: manager, key: key), file: file) } else { nil }
        }
        for (value, _, evidence) in files { draft.packageFiles[value.key, default: []].append(.init(value.file, evidence)) }
        for (value, _, evidence) in merged({ subject -> [String]? in if case .project(let manager, let folder) = subject { [manager, folder] } else { nil } }) {
            if draft.projects[value[0]] == nil {
                draft.projects[value[0]] = .init(value[1], evidence)
            } else if let first = evidence.first {
                draft.notes.append(Note("a second project of \(value[0]) is in \(value[1]): install it in a step", first))
            }
        }
        for (value, _, evidence) in merged({ subject -> [String]? in if case .package(let manager, let name) = subject { [manager, name] } else { nil } }) {
            for place in evidence { draft.add(value[1], manager: value[0], place) }
        }
        // A project's list would be passed over by its manager: its tools are installed by a step.
        for manager in ["npm", "cargo", "go"] where draft.projects[manager] != nil {
            guard let list = draft.packages.removeValue(forKey: manager), !list.isEmpty else { continue }
            let words = list.map { ShellQuote.word($0.value) }
            let run =
                manager == "npm" ? "npm install --global \(words.joined(separator: " "))" : words.map { "\(manager) install \($0)" }.joined(separator: "\n")
            draft.steps.append(.init(StepDraft("\(manager) tools", run, inputs: [], caches: [manager]), list.flatMap(\.evidence)))
        }
        let needs: [String: [String]] = [
            "pip": ["python3", "python3-venv"], "npm": ["npm", "nodejs"], "yarn": ["npm", "nodejs"], "cargo": ["cargo"], "go": ["golang-go"],
        ]
        let used = Set(draft.packages.keys).union(draft.projects.keys).union(draft.packageFiles.keys.map(\.manager))
        for manager in used.sorted() {
            let evidence = draft.packages[manager]?.first?.evidence.first ?? draft.projects[manager]?.evidence.first ?? Evidence(file: manager)
            for name in needs[manager] ?? [] where draft.packages["apt"]?.contains(where: { $0.value == name }) != true {
                draft.add(name, evidence, why: "for \(manager)")
            }
        }
    }

    // MARK: Services

    private mutating func services() {
        var uses: [String: (use: ServiceUse, evidence: [Evidence])] = [:]
        var order: [String] = []
        for (use, origin, evidence) in merged({ if case .service(let use) = $0 { use } else { nil } }) {
            guard let service = ServiceTable.known[use.name], let first = evidence.first else { continue }
            if service.isAbsent {
                draft.notes.append(Note("\(service.title) has no package in Debian: what needs it is left to its owner", first))
            } else if origin == .guess, uses[use.name] == nil {
                draft.notes.append(Note("it may talk to \(service.title); add a service if it must", first))
            } else if var known = uses[use.name] {
                known.use.database = known.use.database ?? use.database
                known.use.user = known.use.user ?? use.user
                known.use.password = known.use.password ?? use.password
                known.evidence += evidence
                uses[use.name] = known
            } else {
                uses[use.name] = (use, evidence)
                order.append(use.name)
            }
        }
        for name in order {
            guard let (use, evidence) = uses[name], let service = ServiceTable.known[name] else { continue }
            for package in service.packages { add(package, Array(evidence.prefix(3)), nil) }
            draft.services.append(.init(service.draft(use), Array(evidence.prefix(3))))
            for (key, value) in service.env.sorted(by: { $0.key < $1.key }) {
                draft.env.append(.init(.init(name: key, value: key == "PGUSER" ? use.user ?? value : value), Array(evidence.prefix(1))))
            }
        }
    }

    // MARK: Steps and environment

    private mutating func steps() {
        var names: Set<String> = []
        // Where Debian has no such language, its steps could only fail.
        let absent = Set(projects.filter { $0.ecosystem.language.map(Suites.known.lacks) == true }.map(\.ecosystem.name))
        for (step, _, evidence) in merged({ if case .step(let step) = $0 { step } else { nil } }) {
            if step.ecosystem.map(absent.contains) == true { continue }
            var step = step
            step.name = Self.title(step.name)
            var number = 2
            let first = step.name
            while !names.insert(step.name).inserted {
                step.name = "\(first.prefix(58)) \(number)"
                number += 1
            }
            draft.steps.append(.init(step, evidence))
        }
    }

    /// As a recipe's titles are: letters, digits, spaces and `. _ + -`.
    static func title(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            let isPlain = scalar.isASCII && (ByteSet.word.contains(UInt8(scalar.value)) || ".+-".unicodeScalars.contains(scalar))
            if isPlain { out.unicodeScalars.append(scalar) } else if !out.isEmpty, !out.hasSuffix(" ") { out += " " }
        }
        out = String(out.drop { !$0.isLetter && !$0.isNumber }.prefix(60)).trimmingSpaces
        return out.isEmpty ? "step" : out
    }

    private mutating func environment() {
        var known = Set(draft.env.map(\.value.name))
        var own: [RecipeDraft.Entry<RecipeDraft.Variable>] = []
        for finding in findings.sorted(by: { $0.origin < $1.origin }) {
            guard case .variable(let name, let value) = finding.subject else { continue }
            // A sample's values are for people, but the address of a service that is started here.
            if finding.origin != .environment, ServiceTable.known.forURL(value).map({ use in draft.services.contains { $0.value.name == use.name } }) != true {
                continue
            }
            if known.contains(name) {
                // The repository's own word goes before the table's.
                if let index = draft.env.firstIndex(where: { $0.value.name == name }), finding.origin == .environment, own.allSatisfy({ $0.value.name != name })
                {
                    draft.env[index] = .init(.init(name: name, value: value), [finding.evidence])
                }
                continue
            }
            known.insert(name)
            own.append(.init(.init(name: name, value: value), [finding.evidence]))
        }
        draft.env = (draft.env + own).sorted { $0.value.name < $1.value.name }
    }

    private mutating func rest() {
        let servicePorts: Set = [5432, 6379, 3306, 11211, 5672, 27017, 9200, 1025, 1883, 389]
        for (port, origin, evidence) in merged({ if case .port(let port) = $0 { port } else { nil } })
        where origin == .environment && (1...65535).contains(port) {
            if servicePorts.contains(port) || draft.ports.count == 20 { continue }
            let host = port < 1024 ? 8000 + port : port
            if !draft.ports.contains(where: { $0.value.host == host }) { draft.ports.append(.init(.init(host: host, machine: port), evidence)) }
        }
        for (name, origin, evidence) in merged({ subject -> String? in if case .secret(let name, _) = subject { name } else { nil } }).prefix(30)
        where Quantities.isVariable(name) {
            draft.secrets.append(.init(name, evidence, why: origin == .guess ? "read by the code" : nil))
        }
        if let (path, _, evidence) = merged({ subject -> String? in if case .workspace(let path) = subject { path } else { nil } }).first,
            Quantities.machinePathProblem(path) == nil
        {
            let system: Set = ["bin", "boot", "etc", "lib", "lib64", "run", "sbin", "usr", "var", "tmp"]
            if let top = path.split(separator: "/").first, !system.contains(String(top)) || path.hasPrefix("/usr/src/") || path.hasPrefix("/var/www/") {
                draft.workspace = .init(path, evidence)
            }
        }
        for (user, _, evidence) in merged({ if case .user(let user) = $0 { user } else { nil } }) {
            if let first = evidence.first {
                draft.notes.append(Note("the user \(user) was not taken over: everything runs as root until `user:` says otherwise", first))
            }
        }
        for finding in findings.sorted(by: { $0.origin < $1.origin }) {
            guard case .resources(let cpus, let memory, let disk) = finding.subject, draft.resources == nil else { continue }
            var parts: [String] = []
            if let cpus, (1...1024).contains(cpus) { parts.append("cpus: \(cpus)") }
            for (key, value) in [("memory", memory), ("disk", disk)] {
                if let value, let bytes = Quantities.bytes(value), bytes >= 256 << 20, bytes <= 64 << 40 { parts.append("\(key): \(value)") }
            }
            if !parts.isEmpty { draft.resources = .init(parts, [finding.evidence]) }
        }
    }

    private mutating func checks(_ goals: [Goal]) {
        var counts: [Goal.Kind: Int] = [:]
        var names: Set<String> = []
        for goal in goals {
            counts[goal.kind, default: 0] += 1
            guard counts[goal.kind, default: 0] <= Self.limits[goal.kind, default: 4] else { continue }
            var goal = goal
            let first = Self.title(goal.name)
            goal.name = first
            var number = 2
            while !names.insert(goal.name).inserted {
                goal.name = "\(first.prefix(57)) \(number)"
                number += 1
            }
            draft.checks.append(.init(goal, [goal.evidence]))
        }
    }
}

extension RecipeDraft {
    struct ManagerKeyFile: Hashable {
        let key: ManagerKey
        let file: String
    }
}

extension ServiceTable.Service {
    /// With the repository's own names for its user and database.
    func draft(_ use: ServiceUse) -> RecipeDraft.Service {
        func fill(_ text: String) -> String {
            let values = ["database": use.database, "user": use.user, "password": use.password]
            return values.reduce(text) {
                $0.replacing("${\($1.key)}", with: $1.value.flatMap { ServiceTable.isPlain($0) ? $0 : nil } ?? defaults[$1.key] ?? "")
            }
        }
        var lines = [ready].compactMap { $0 }
        if let userReady, let user = use.user, user != defaults["user"], ServiceTable.isPlain(user) { lines.append(fill(userReady)) }
        if let databaseReady, let database = use.database, database != defaults["database"], ServiceTable.isPlain(database) {
            lines.append(fill(databaseReady))
        }
        let script = lines.count > 1 ? lines.joined(separator: "\n") + "\n" : lines.first
        return RecipeDraft.Service(name: name, run: run ?? "", ready: script, timeout: ready == nil ? nil : timeout)
    }
}
