import Recipes

/// Writes a draft as `terrine.yaml`, each line with where it comes from.
///
/// Names and scripts may be a stranger's: nothing of them can end a comment or a value, whatever their letters.
struct DraftWriter {
    private var lines: [String] = []

    static func text(_ draft: RecipeDraft) throws -> String {
        var writer = DraftWriter()
        writer.write(draft)
        let text = writer.lines.joined(separator: "\n") + "\n"
        do { return try RecipeFormat.formatted(text, file: Recipe.fileName) } catch let error as RecipeError where error.code == "unformattable" {
            // As it is: it reads the same.
            return text
        }
    }

    // MARK: Values

    /// A value of one line; `$` is not a variable's.
    private static func scalar(_ text: String, isFlow: Bool = false) -> String {
        let clean = clean(text).replacing("$", with: "$$")
        return ScalarText.canBePlain(clean, isFlow: isFlow, wasPlain: false) && !clean.contains("\t") && isASCII(clean) ? clean : ScalarText.quoted(clean)
    }

    private static func isASCII(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

    /// Without what a recipe may not hold.
    private static func clean(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar != "\0" { out.append((0xF000...0xF8FF).contains(scalar.value) ? "\u{FFFD}" : scalar) }
        return String(out)
    }

    /// A shell script as a block, or in quotes where a block would not keep it.
    private mutating func script(_ key: String, _ text: String, _ indent: String, _ comment: String = "") {
        let text = Self.clean(text)
        let isOdd = text.unicodeScalars.contains {
            ($0.value < 0x20 && $0 != "\n") || $0.value == 0x7F || $0.value == 0x85 || (0x2028...0x2029).contains($0.value) || $0.value == 0xFEFF
        }
        var body = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while body.last?.trimmingSpaces.isEmpty == true { body.removeLast() }
        if body.count < 2 || isOdd || body.first?.first?.isWhitespace == true || body.first?.isEmpty == true {
            let line = isOdd || body.count > 1 ? text : body.first ?? ""
            let isPlain = !isOdd && ScalarText.canBePlain(line, isFlow: false, wasPlain: false)
            lines.append("\(indent)\(key): \(isPlain ? line : ScalarText.quoted(line))\(comment)")
            return
        }
        lines.append("\(indent)\(key): |\(comment)")
        for line in body { lines.append(line.isEmpty ? "" : "\(indent)  \(line)") }
    }

    /// `# from a.toml:3, b.txt (why)`.
    private static func comment(_ evidence: [Evidence], _ why: String? = nil) -> String {
        var seen: Set<String> = []
        let places = evidence.map(\.description).filter { seen.insert($0).inserted }
        if places.isEmpty { return why.map { "  # \(Evidence.shown(clean($0)))" } ?? "" }
        let more = places.count > 3 ? " and \(places.count - 3) more" : ""
        let text = "from \(places.prefix(3).joined(separator: ", "))\(more)\(why.map { " (\($0))" } ?? "")"
        return "  # \(Evidence.shown(clean(text)))"
    }

    // MARK: Sections

    private mutating func write(_ draft: RecipeDraft) {
        lines.append("# Written by `terrine init`: each line says where it comes from, and all of it may be changed.")
        lines.append("version: 1")
        lines.append("name: \(Self.scalar(draft.name))")
        lines.append("base: \(Self.scalar(draft.base.value))\(Self.comment(draft.base.evidence, draft.base.why))")
        if let resources = draft.resources { lines.append("resources: { \(resources.value.joined(separator: ", ")) }\(Self.comment(resources.evidence))") }
        packages(draft)
        if !draft.env.isEmpty {
            lines.append("env:")
            for entry in draft.env where Quantities.isVariable(entry.value.name) {
                let value = entry.value.value.isEmpty ? "\"\"" : Self.scalar(entry.value.value)
                lines.append("  \(entry.value.name): \(value)\(Self.comment(entry.evidence, entry.why))")
            }
        }
        if let workspace = draft.workspace {
            lines.append("workspace: { path: \(Self.scalar(workspace.value, isFlow: true)) }\(Self.comment(workspace.evidence))")
        }
        steps(draft)
        services(draft)
        checks(draft)
        if !draft.ports.isEmpty {
            lines.append("ports:")
            for entry in draft.ports {
                let port = entry.value
                lines.append("  - \(port.host == port.machine ? "\(port.host)" : "\"\(port.host):\(port.machine)\"")\(Self.comment(entry.evidence))")
            }
        }
        if !draft.secrets.isEmpty {
            lines.append("secrets:")
            for entry in draft.secrets { lines.append("  - { name: \(entry.value) }\(Self.comment(entry.evidence, entry.why))") }
        }
        standIns(draft)
    }

    private mutating func packages(_ draft: RecipeDraft) {
        let managers = Set(draft.packages.filter { !$0.value.isEmpty }.keys).union(draft.projects.keys).union(draft.packageFiles.keys.map(\.manager))
        if managers.isEmpty { return }
        lines.append("packages:")
        for manager in managers.sorted() {
            let list = draft.packages[manager] ?? []
            let files = draft.packageFiles.filter { $0.key.manager == manager }.sorted { $0.key.key < $1.key.key }
            let project = draft.projects[manager]
            lines.append("  \(manager):")
            if files.isEmpty, project == nil {
                for entry in list { lines.append("    - \(Self.scalar(entry.value))\(Self.comment(entry.evidence, entry.why))") }
                continue
            }
            if let project { lines.append("    project: \(Self.scalar(project.value))\(Self.comment(project.evidence))") }
            for (key, entries) in files {
                lines.append("    \(key.key):")
                for entry in entries { lines.append("      - \(Self.scalar(entry.value))\(Self.comment(entry.evidence.filter { $0.file != entry.value }))") }
            }
            if !list.isEmpty {
                lines.append("    packages:")
                for entry in list { lines.append("      - \(Self.scalar(entry.value))\(Self.comment(entry.evidence, entry.why))") }
            }
        }
    }

    private mutating func steps(_ draft: RecipeDraft) {
        if draft.steps.isEmpty { return }
        lines.append("steps:")
        for entry in draft.steps {
            let step = entry.value
            lines.append("  - name: \(Self.scalar(step.name))\(Self.comment(entry.evidence, entry.why))")
            script("run", step.run, "    ")
            if let inputs = step.inputs { lines.append("    inputs: [\(inputs.map { Self.scalar($0, isFlow: true) }.joined(separator: ", "))]") }
            if !step.caches.isEmpty { lines.append("    caches: [\(step.caches.joined(separator: ", "))]") }
        }
    }

    private mutating func services(_ draft: RecipeDraft) {
        if draft.services.isEmpty { return }
        lines.append("services:")
        for entry in draft.services {
            let service = entry.value
            lines.append("  - name: \(Self.scalar(service.name))\(Self.comment(entry.evidence, entry.why))")
            script("run", service.run, "    ")
            if let ready = service.ready { script("ready", ready, "    ") }
            if let timeout = service.timeout { lines.append("    timeout: \(timeout)") }
        }
    }

    private mutating func standIns(_ draft: RecipeDraft) {
        if draft.standIns.isEmpty { return }
        lines.append("stand_ins:")
        for entry in draft.standIns {
            let standIn = entry.value
            lines.append("  - name: \(Self.scalar(standIn.name))\(Self.comment(entry.evidence, entry.why))")
            lines.append("    for: \(Self.scalar(standIn.purpose))")
            lines.append("    reason: \(Self.scalar(standIn.reason))")
            if let value = standIn.value { lines.append("    value: \(Self.scalar(value))") }
        }
    }

    private mutating func checks(_ draft: RecipeDraft) {
        if draft.checks.isEmpty { return }
        lines.append("checks:")
        for entry in draft.checks {
            let goal = entry.value
            lines.append("  - name: \(Self.scalar(goal.name))\(Self.comment(entry.evidence, entry.why))")
            script("run", goal.command, "    ")
            if goal.exit != 0 { lines.append("    expect: { exit: \(goal.exit) }") }
            lines.append("    timeout: \(goal.kind == .test || goal.kind == .build ? "20m" : "5m")")
        }
    }
}

extension RecipeDraft {
    /// The draft as the text of a `terrine.yaml`, in the canonical form, with a comment on where each line comes from.
    ///
    /// - Throws: ``RecipeDiagnostics`` if what was written is no YAML, which no input should bring about.
    public func text() throws -> String { try DraftWriter.text(self) }
}
