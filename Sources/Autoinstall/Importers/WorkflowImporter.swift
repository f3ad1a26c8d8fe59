/// GitHub Actions: `copilot-setup-steps.yml` is an environment; other workflows say which versions, packages, services and tests the project has.
struct WorkflowImporter: Importer {
    func files(_ repository: Repository) -> [String] {
        let all = (repository.files(matching: ".github/workflows/*.yml") + repository.files(matching: ".github/workflows/*.yaml")).map(\.path)
        // The one that is an environment goes first; releases and robots say nothing of what is needed.
        let setup = all.filter(isSetup)
        return setup + all.filter { !isSetup($0) && !Self.aside.isFound(in: $0.split(separator: "/").last ?? "") }.prefix(12)
    }

    private static let aside = Pattern(
        known: "(?i)release|publish|deploy|stale|label|codeql|scorecard|dependabot|pages|docs|greet|lock|sync|backport|changelog|nightly")

    private func isSetup(_ path: String) -> Bool { path.contains("copilot-setup-steps") }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        let root = try YAMLText.read(source)
        let isSetup = isSetup(source.path)
        let origin: Finding.Origin = isSetup ? .environment : .manifest
        guard let jobs = root["jobs"] else { return findings.note("a workflow without jobs", source.evidence) }
        if isSetup { environment(root["env"], source, context, origin, &findings) }
        for (name, job) in jobs.entries {
            if isSetup, name != "copilot-setup-steps" {
                findings.note("only the job copilot-setup-steps is an environment; `\(name)` was not taken over", source.evidence(job.line))
                continue
            }
            if runsElsewhere(job) {
                findings.note("the job `\(name)` runs on another system, and was not looked at", source.evidence(job.line))
                continue
            }
            read(job, named: name, isSetup, source, context, origin, &findings)
        }
        secrets(source, &findings)
    }

    /// No Linux in `runs-on`, nor in the matrix that it names.
    private func runsElsewhere(_ job: DataNode) -> Bool {
        let systems = job["runs-on"]?.texts.map(\.text) ?? []
        guard !systems.isEmpty, !systems.contains(where: { $0.contains("$") }) else { return false }
        return systems.allSatisfy { $0.contains("windows") || $0.contains("macos") }
    }

    private func read(
        _ job: DataNode, named name: String, _ isSetup: Bool, _ source: SourceText, _ context: ImportContext, _ origin: Finding.Origin,
        _ findings: inout Findings
    ) {
        let matrix = job[path: "strategy", "matrix"]
        if let container = job["container"], let image = container.text ?? container["image"]?.text, !image.contains("$") {
            context.image(image, source.evidence(container.line), origin, &findings)
        }
        if isSetup { environment(job["env"], source, context, origin, &findings) }
        for (label, service) in job["services"]?.entries ?? [] {
            ComposeImporter.service(label, service, source, origin, &findings)
        }
        if let timeout = job["timeout-minutes"], isSetup, let minutes = timeout.text {
            findings.note("timeout-minutes: \(minutes) is not taken over: each step has its own", source.evidence(timeout.line))
        }
        for (index, step) in (job["steps"]?.list ?? []).enumerated() {
            let line = step["run"]?.line ?? step["uses"]?.line ?? step.line
            if let uses = step["uses"]?.text { action(uses, step, matrix, source.evidence(line), isSetup, context, origin, &findings) }
            guard let run = step["run"], let script = run.text else { continue }
            if let condition = step["if"]?.text,
                condition.contains("windows") || condition.contains("Windows") || condition.contains("macos") || condition.contains("macOS")
            {
                continue
            }
            let filled = fill(script, matrix)
            let title = String(
                (step["name"]?.text ?? "\(name) \(index + 1)").unicodeScalars.map {
                    Character(ByteSet.word.contains(UInt8(truncatingIfNeeded: $0.value)) && $0.isASCII ? $0 : " ")
                })
            if filled.contains("${{") {
                if isSetup { findings.note("a script with expressions of its own was not taken over", source.evidence(line)) }
                continue
            }
            let folder = step["working-directory"]?.text ?? job[path: "defaults", "run", "working-directory"]?.text
            let local = folder.flatMap { $0.contains("$") || $0 == "." ? nil : "cd \(ShellQuote.word($0))\n\(filled)" } ?? filled
            context.carrier.carry(
                local, name: isSetup ? title : nil, from: source, line: GitpodImporter.line(run, source) - (folder == nil ? 0 : 1), origin, &findings)
            if isSetup { environment(step["env"], source, context, origin, &findings) }
        }
    }

    private func environment(_ node: DataNode?, _ source: SourceText, _ context: ImportContext, _ origin: Finding.Origin, _ findings: inout Findings) {
        for (key, value) in node?.entries ?? [] {
            if let text = value.text { context.variable(key, text, source.evidence(value.line), origin, &findings) }
        }
    }

    private func action(
        _ uses: String, _ step: DataNode, _ matrix: DataNode?, _ evidence: Evidence, _ isSetup: Bool, _ context: ImportContext, _ origin: Finding.Origin,
        _ findings: inout Findings
    ) {
        let name = String(uses.split(separator: "@").first ?? "")
        let options = step["with"]
        guard let action = NameTables.actions[name] else {
            if name == "actions/checkout" {
                if options?["submodules"]?.text == "true" || options?["submodules"]?.text == "recursive" {
                    findings.note("submodules must be there before a build", evidence)
                }
                if options?["lfs"]?.text == "true" { findings.add(.systemPackage("git-lfs"), origin, evidence) }
            } else if name == "awalsh128/cache-apt-pkgs-action" {
                for package in (options?["packages"]?.text ?? "").split(whereSeparator: \.isWhitespace) {
                    ScriptCarrier.package(String(package), evidence, origin, &findings)
                }
            } else if isSetup, !name.hasPrefix("actions/cache"), !name.hasPrefix("actions/upload") {
                findings.note("the action \(name) was not taken over", evidence)
            }
            return
        }
        func add(_ tool: String, _ input: String) {
            let asked = options?[input]
            // Several lines, or an expression that names an axis of the matrix: any of those versions.
            let versions = (asked?.listOrSelf ?? []).compactMap(\.text).flatMap { expand($0, matrix) }.flatMap {
                $0.split(whereSeparator: \.isNewline).map { $0.trimmingSpaces }
            }
            let numbers = versions.filter { Version($0) != nil || $0.contains(where: { "<>=~^".contains($0) }) }
            let tag = String(uses.split(separator: "@").last ?? "")
            let own = numbers.isEmpty && name == "dtolnay/rust-toolchain" && Version(tag) != nil && tag != "v1" ? [tag] : numbers
            guard let language = NameTables.tools[tool] ?? (Suites.known.knows(tool) || Suites.known.lacks(tool) ? tool : nil) else { return }
            findings.add(.language(language, own.isEmpty ? nil : VersionConstraint(own.joined(separator: " || "))), origin, evidence)
        }
        add(action.tool, action.input)
        if let also = action.also { add(also.tool, also.input) }
        if name == "shivammathur/setup-php" {
            for part in (options?["extensions"]?.text ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace })
            where ScriptCarrier.debianName.isFound(in: part) {
                let own: Set = [
                    "ctype", "dom", "fileinfo", "filter", "hash", "iconv", "json", "openssl", "pdo", "pcntl", "phar", "posix", "session", "sodium", "tokenizer",
                    "xmlwriter", "xmlreader", "simplexml", "libxml", "ftp", "exif", "sockets",
                ]
                if !own.contains(String(part)) { findings.add(.systemPackage("php-\(part)"), origin, evidence) }
            }
        }
    }

    private static let axis = Pattern(known: #"\$\{\{\s*matrix\.([\w-]+)\s*\}\}"#)

    /// All values of the axis that an expression names.
    private func expand(_ text: String, _ matrix: DataNode?) -> [String] {
        guard let name = Self.axis.firstMatch(text)?[1] else { return text.contains("${{") ? [] : [text] }
        let values = (matrix?[name]?.texts.map(\.text) ?? []) + (matrix?["include"]?.list ?? []).compactMap { $0[name]?.text }
        return values.filter { !$0.contains("${{") }
    }

    /// A script with each axis replaced by its last value, the newest as a rule.
    private func fill(_ script: String, _ matrix: DataNode?) -> String {
        var out = script
        for match in SourceText(path: "", text: script).matches(Self.axis) {
            guard let value = matrix?[match.groups[1]]?.texts.last?.text, Version(value) != nil || ShellQuote.word(value) == value else { continue }
            out = out.replacing(match.groups[0], with: value)
        }
        return out
    }

    private static let secret = Pattern(known: #"\$\{\{[^}]*\bsecrets\.([A-Za-z_]\w*)"#)

    private func secrets(_ source: SourceText, _ findings: inout Findings) {
        for match in source.matches(Self.secret) where match.groups[1] != "GITHUB_TOKEN" {
            findings.add(.secret(match.groups[1], isRequired: false), .manifest, source.evidence(match.line))
        }
    }
}
