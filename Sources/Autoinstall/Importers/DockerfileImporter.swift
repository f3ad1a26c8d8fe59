/// A Dockerfile: the stages that its last one is made of, as a recipe can say them.
struct DockerfileImporter: Importer {
    func files(_ repository: Repository) -> [String] {
        // Of several the one that an environment was made of says most.
        let places = [
            ".devcontainer/Dockerfile", ".cursor/Dockerfile", ".gitpod.Dockerfile", ".gitpod.dockerfile", "Dockerfile.dev", "Dockerfile.test", "Dockerfile",
            "docker/Dockerfile", "Containerfile",
        ]
        return places.first(where: repository.contains).map { [$0] } ?? []
    }

    private struct Stage {
        let base: String
        let name: String?
        let line: Int
        var instructions: [DockerfileText.Instruction] = []
    }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        var stages: [Stage] = []
        var arguments: [String: String] = [:]
        for instruction in DockerfileText(source).instructions {
            switch instruction.name {
            case "FROM":
                let words = fill(instruction.arguments, arguments).split(whereSeparator: \.isWhitespace).map(String.init).filter { !$0.hasPrefix("--") }
                let name = words.count >= 3 && words[1].lowercased() == "as" ? words[2].lowercased() : nil
                stages.append(Stage(base: words.first ?? "", name: name, line: instruction.line))
            case "ARG" where stages.isEmpty:
                for (key, value) in pairs(instruction.arguments, arguments) { arguments[key] = value }
            default: if !stages.isEmpty { stages[stages.count - 1].instructions.append(instruction) }
            }
        }
        guard !stages.isEmpty else { throw ReadingProblem(line: 1, description: "a Dockerfile without FROM") }
        let used = used(stages)
        for (index, stage) in stages.enumerated() {
            guard used.contains(index) else {
                findings.note("the stage \(stage.name ?? "\(index)") is not part of the last one, and was not taken over", source.evidence(stage.line))
                continue
            }
            if !stages[..<index].contains(where: { $0.name == stage.base.lowercased() }) {
                if stage.base.contains("$") {
                    findings.note("the image is only known when it is built: \(stage.base)", source.evidence(stage.line))
                } else if stage.base != "scratch" {
                    context.image(stage.base, source.evidence(stage.line), .environment, &findings)
                }
            }
            read(stage, isLast: index == stages.count - 1, arguments, source, context, &findings)
        }
    }

    /// The last stage, what it stands on, and what it copies from: a stage that is only copied from has the tools that built what is copied.
    private func used(_ stages: [Stage]) -> Set<Int> {
        var used: Set<Int> = []
        var open = [stages.count - 1]
        while let index = open.popLast() {
            guard used.insert(index).inserted else { continue }
            let stage = stages[index]
            let named = [stage.base.lowercased()] + stage.instructions.filter { $0.name == "COPY" || $0.name == "RUN" }.compactMap { from($0.arguments) }
            for name in named {
                if let other = stages[..<index].lastIndex(where: { $0.name == name }) ?? Int(name).flatMap({ stages[..<index].indices.contains($0) ? $0 : nil })
                {
                    open.append(other)
                }
            }
        }
        return used
    }

    private static let fromOption = Pattern(known: #"--(?:from|mount=\S*from)=([\w.-]+)"#)
    private func from(_ arguments: String) -> String? { Self.fromOption.firstMatch(arguments.replacing("\\\n", with: " "))?[1]?.lowercased() }

    private func read(
        _ stage: Stage, isLast: Bool, _ global: [String: String], _ source: SourceText, _ context: ImportContext, _ findings: inout Findings
    ) {
        var arguments: [String: String] = [:]
        var folder = "/"
        var count = 0
        for instruction in stage.instructions {
            let evidence = source.evidence(instruction.line)
            switch instruction.name {
            case "ARG":
                for (key, value) in pairs(instruction.arguments, arguments) { arguments[key] = value }
                // One that was declared before the first stage has that value.
                for word in instruction.arguments.split(whereSeparator: \.isWhitespace) where !word.contains("=") {
                    arguments[String(word)] = global[String(word)]
                }
            case "ENV":
                for (key, value) in pairs(instruction.arguments, arguments) {
                    arguments[key] = value
                    context.variable(key, value, evidence, .environment, &findings)
                }
            case "RUN":
                count += 1
                let name = "docker \(stage.name ?? (isLast ? "" : "stage"))".trimmingSpaces + " \(count)"
                run(instruction, folder, arguments, name, source, context, &findings)
            case "WORKDIR":
                let path = fill(instruction.arguments, arguments)
                folder = path.hasPrefix("/") ? path : folder + (folder.hasSuffix("/") ? "" : "/") + path
            case "COPY", "ADD":
                let words = instruction.arguments.split(whereSeparator: \.isWhitespace).map(String.init).filter { !$0.hasPrefix("--") }
                if instruction.arguments.contains("--from=") { continue }
                if words.count == 2, words[0] == "." || words[0] == "./" {
                    let target = fill(words[1], arguments)
                    let path = target.hasPrefix("/") ? target : folder
                    if isLast, path.utf8.count > 1 { findings.add(.workspace(path.hasSuffix("/") ? String(path.dropLast()) : path), .environment, evidence) }
                } else if words.contains(where: { $0.contains("://") }) {
                    findings.note("ADD of a URL was not taken over: fetch it in a step", evidence)
                } else if let last = words.last, last.hasPrefix("/"), !last.hasPrefix(folder == "/" ? "//" : folder) {
                    findings.note("`\(instruction.name) \(instruction.arguments)` was not taken over: say it under `files`", evidence)
                }
            case "USER":
                let user = fill(instruction.arguments, arguments)
                if user != "root", user != "0", isLast { findings.add(.user(user), .environment, evidence) }
            case "EXPOSE":
                for word in fill(instruction.arguments, arguments).split(whereSeparator: \.isWhitespace) {
                    if let number = Int(word.prefix { $0.isNumber }) { findings.add(.port(number), .environment, evidence) }
                }
            case "CMD", "ENTRYPOINT":
                if isLast { findings.note("\(instruction.name) \(instruction.arguments) was not taken over: make it a service if it must run", evidence) }
            case "SHELL", "VOLUME", "HEALTHCHECK", "ONBUILD", "STOPSIGNAL": findings.note("\(instruction.name) was not taken over", evidence)
            default: break
            }
        }
    }

    private func run(
        _ instruction: DockerfileText.Instruction, _ folder: String, _ arguments: [String: String], _ name: String, _ source: SourceText,
        _ context: ImportContext,
        _ findings: inout Findings
    ) {
        var script = instruction.arguments
        while script.hasPrefix("--"), let space = script.firstIndex(where: { $0.isWhitespace }) { script = script[space...].trimmingSpaces }
        var line = instruction.line
        if script.hasPrefix("<<"), let document = instruction.documents.first {
            (script, line) = (document, instruction.line + 1)
        } else if script.hasPrefix("["), let words = Self.words(script) {
            script = words.map(ShellQuote.word).joined(separator: " ")
        } else if script.contains("<<") {
            return findings.note("a command with a here-document was not taken over", source.evidence(instruction.line))
        }
        // Names that only the build knows are replaced; the rest is the shell's.
        script = fill(script, arguments)
        // A step begins in the workspace, wherever that is.
        context.carrier.carry(script, name: name, from: source, line: line, .environment, &findings)
    }

    /// `["a", "b"]`.
    private static func words(_ text: String) -> [String]? {
        // What is no list is a command for a shell.
        guard let node = try? JSONText.read(SourceText(path: "", text: text)), case .list(let items) = node.value else { return nil }
        return items.compactMap(\.text)
    }

    /// `A=1 B="two words"`, and the old `A one value`.
    private func pairs(_ text: String, _ arguments: [String: String]) -> [(String, String)] {
        let commands = ShellText("x " + text.replacing("\n", with: " "), line: 1).commands
        guard let words = commands.first?.words.dropFirst(), let first = words.first else { return [] }
        if !first.contains("=") { return words.count > 1 ? [(first, fill(words.dropFirst().joined(separator: " "), arguments))] : [] }
        return words.compactMap { word in
            guard let sign = word.firstIndex(of: "=") else { return nil }
            return (String(word[..<sign]), fill(String(word[word.index(after: sign)...]), arguments))
        }
    }

    private static let variable = Pattern(known: #"\$(?:\{([A-Za-z_]\w*)(?::?-([^}]*))?\}|([A-Za-z_]\w*))"#)

    /// With the build's own variables replaced; others stay.
    private func fill(_ text: String, _ arguments: [String: String]) -> String {
        var out = text
        for match in SourceText(path: "", text: text).matches(Self.variable) {
            let name = match.groups[1].isEmpty ? match.groups[3] : match.groups[1]
            if let value = arguments[name] ?? (match.groups[2].isEmpty ? nil : match.groups[2]) { out = out.replacing(match.groups[0], with: value) }
        }
        return out
    }
}
