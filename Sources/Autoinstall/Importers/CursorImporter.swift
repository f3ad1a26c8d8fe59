/// `.cursor/environment.json`: what is installed, what is started, which terminals stay open.
struct CursorImporter: Importer {
    func files(_ repository: Repository) -> [String] { [".cursor/environment.json"].filter(repository.contains) }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        let root = try JSONText.read(source)
        if let install = root["install"], let script = install.text {
            context.carrier.carry(script, name: "install", from: source, line: install.line, .environment, &findings)
        }
        if let node = root["start"], let script = node.text {
            start(script, node.line, source, &findings)
        }
        for terminal in root["terminals"]?.list ?? [] {
            findings.note(
                "the terminal \(terminal["name"]?.text ?? "") (\(terminal["command"]?.text ?? "")) was not taken over: make it a service if it must run",
                source.evidence(terminal.line))
        }
        if let snapshot = root["snapshot"] {
            findings.note(
                "the snapshot \(snapshot.text ?? "") is an image that only its maker has; what is in it was not taken over", source.evidence(snapshot.line))
        }
        if let user = root["user"], let name = user.text, name != "root" { findings.add(.user(name), .environment, source.evidence(user.line)) }
        for port in root["ports"]?.list ?? [] {
            if let number = (port["port"]?.text ?? port.text).flatMap({ Int($0) }) { findings.add(.port(number), .environment, source.evidence(port.line)) }
        }
        for (key, value) in root["env"]?.entries ?? [] {
            if let text = value.text { context.variable(key, text, source.evidence(value.line), .environment, &findings) }
        }
        if let name = root[path: "build", "dockerfile"], let file = name.text {
            let folder = context.repository.contains(".cursor/\(file)") || context.repository.contains(file)
            if !folder { findings.note("the Dockerfile \(file) is not in the repository", source.evidence(name.line)) }
        }
        for (key, value) in root.entries
        where ![
            "install", "start", "terminals", "snapshot", "user", "ports", "env", "build", "name", "$schema", "agentCanUpdateSnapshot", "repositoryDependencies",
        ].contains(key) {
            findings.note("`\(key)` is not known, and was not taken over", source.evidence(value.line))
        }
    }

    /// `sudo service postgresql start` is a service of ours; anything else is said.
    private func start(_ script: String, _ line: Int, _ source: SourceText, _ findings: inout Findings) {
        for command in ShellText(script, line: line).commands {
            let evidence = Evidence(file: source.path, line: command.line, text: command.text)
            let words = command.words
            let name = words.count >= 3 && words[0] == "service" ? words[1] : words.count >= 3 && words[0] == "systemctl" ? words[2] : nil
            if let name, let service = ServiceTable.known.services.first(where: { $0.name == name || $0.packages.contains(name) || $0.images.contains(name) }) {
                findings.add(.service(ServiceUse(service.name)), .environment, evidence)
            } else {
                findings.note("`\(command.text)` runs at each start, and was not taken over: make it a service if it must stay", evidence)
            }
        }
    }
}
