/// `.gitpod.yml`: image, tasks, ports.
struct GitpodImporter: Importer {
    func files(_ repository: Repository) -> [String] { [".gitpod.yml", ".gitpod.yaml"].filter(repository.contains) }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        let root = try YAMLText.read(source)
        if let image = root["image"] {
            if let name = image.text {
                if name.hasPrefix("gitpod/workspace-") {
                    gitpod(name, source.evidence(image.line), &findings)
                } else {
                    context.image(name, source.evidence(image.line), .environment, &findings)
                }
            } else if let file = image["file"], let name = file.text, !context.repository.contains(name) {
                findings.note("the Dockerfile \(name) is not in the repository", source.evidence(file.line))
            }
        }
        for (index, task) in (root["tasks"]?.list ?? []).enumerated() {
            let name = task["name"]?.text ?? "task \(index + 1)"
            for key in ["before", "init", "prebuild"] {
                if let script = task[key], let text = script.text {
                    context.carrier.carry(
                        text, name: key == "init" ? name : "\(name) \(key)", from: source, line: Self.line(script, source), .environment, &findings)
                }
            }
            if let command = task["command"] {
                findings.note("the task \(name) runs `\(command.text ?? "")` at each start, and was not taken over", source.evidence(command.line))
            }
            for (key, value) in task["env"]?.entries ?? [] {
                if let text = value.text { context.variable(key, text, source.evidence(value.line), .environment, &findings) }
            }
        }
        for port in root["ports"]?.list ?? [] {
            if let number = (port["port"]?.text ?? port.text).flatMap({ Int($0) }) { findings.add(.port(number), .environment, source.evidence(port.line)) }
        }
        for key in ["additionalRepositories", "workspaceLocation", "checkoutLocation", "coreDump", "experimentalNetwork"] {
            if let node = root[key] { findings.note("`\(key)` was not taken over", source.evidence(node.line)) }
        }
    }

    /// Where a script's own first line is: a block of text begins under its key.
    static func line(_ node: DataNode, _ source: SourceText) -> Int {
        source.line(node.line).trimmingSpaces.hasSuffix("|") || source.line(node.line).trimmingSpaces.hasSuffix(">")
            || source.line(node.line).trimmingSpaces.hasSuffix("|-")
            ? node.line + 1 : node.line
    }

    private func gitpod(_ image: String, _ evidence: Evidence, _ findings: inout Findings) {
        let name = image.dropFirst("gitpod/workspace-".count).prefix { $0.isLetter }
        if let language = NameTables.tools[String(name)] { findings.add(.language(language, nil), .environment, evidence) }
        if name == "postgres" { findings.add(.service(ServiceUse("postgresql")), .environment, evidence) }
        if name == "mysql" { findings.add(.service(ServiceUse("mariadb")), .environment, evidence) }
        findings.note("\(image) holds many tools; only those that the repository names are in the recipe", evidence)
    }
}
