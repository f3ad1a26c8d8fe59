/// `.tool-versions`: a tool and its versions a line.
struct ToolVersionsImporter: Importer {
    func files(_ repository: Repository) -> [String] { [".tool-versions"].filter(repository.contains) }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        for number in 1...max(1, source.lineCount) {
            let words =
                source.line(number).split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).first?.split(whereSeparator: \.isWhitespace).map(
                    String.init) ?? []
            guard let name = words.first else { continue }
            context.tool(name, words.count > 1 ? words[1] : nil, source.evidence(number), .environment, &findings)
        }
    }
}

/// `mise.toml`: tools, variables, tasks.
struct MiseImporter: Importer {
    func files(_ repository: Repository) -> [String] {
        ["mise.toml", ".mise.toml", ".config/mise.toml", "mise/config.toml", ".mise/config.toml"].filter(repository.contains)
    }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        let root = try TOMLText.read(source)
        for (name, value) in root["tools"]?.entries ?? [] {
            let version = value.text ?? value["version"]?.text ?? value.list.first.flatMap { $0.text ?? $0["version"]?.text }
            let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
            let evidence = source.evidence(value.line)
            guard parts.count == 2 else {
                context.tool(name, version, evidence, .environment, &findings)
                continue
            }
            let pinned = version.flatMap { Version($0) == nil ? nil : $0 }
            switch parts[0] {
            case "pipx": findings.add(.package(manager: "pip", name: parts[1] + (pinned.map { "==\($0)" } ?? "")), .environment, evidence)
            case "npm": findings.add(.package(manager: "npm", name: parts[1] + (pinned.map { "@\($0)" } ?? "")), .environment, evidence)
            case "go": findings.add(.package(manager: "go", name: "\(parts[1])@\(pinned.map { "v\($0)" } ?? "latest")"), .environment, evidence)
            case "cargo": findings.add(.package(manager: "cargo", name: parts[1] + (pinned.map { "@\($0)" } ?? "")), .environment, evidence)
            default: findings.note("the tool \(name) comes from where a recipe's managers do not look", evidence)
            }
        }
        for (key, value) in root["env"]?.entries ?? [] {
            guard let text = value.text else {
                findings.note("`env.\(key)` is only known when it runs, and was not taken over", source.evidence(value.line))
                continue
            }
            if text.contains("{{") {
                findings.note("\(key) is only known when it runs, and was not taken over", source.evidence(value.line))
            } else {
                context.variable(key, text, source.evidence(value.line), .environment, &findings)
            }
        }
        for (name, task) in root["tasks"]?.entries ?? [] {
            let scripts = task.text.map { [$0] } ?? (task["run"]?.texts.map(\.text) ?? task.texts.map(\.text))
            // Tasks are what a person may run: those that test are goals.
            for script in scripts { context.carrier.carry(script, name: nil, from: source, line: task.line, .environment, &findings) }
            if name == "setup" || name == "install" || name == "bootstrap" {
                context.carrier.carry(scripts.joined(separator: "\n"), name: "mise \(name)", from: source, line: task.line, .environment, &findings)
            }
        }
        for key in ["hooks", "plugins", "vars", "settings"] {
            if let node = root[key] { findings.note("`\(key)` was not taken over", source.evidence(node.line)) }
        }
    }
}
