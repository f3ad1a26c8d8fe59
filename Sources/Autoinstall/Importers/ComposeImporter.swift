/// Compose files: databases and their like become services of the machine; what is built from the repository is the repository itself.
struct ComposeImporter: Importer {
    func files(_ repository: Repository) -> [String] {
        let names = [
            "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "docker-compose.dev.yml", "docker-compose.test.yml",
            "docker-compose.override.yml",
        ]
        return (names + names.map { ".devcontainer/\($0)" } + names.map { "docker/\($0)" }).filter(repository.contains)
    }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        let root = try YAMLText.read(source)
        guard let services = root["services"] else { return findings.note("a compose file without services", source.evidence) }
        for (name, service) in services.entries {
            if service["build"] != nil {
                environment(service, source, context, &findings)
                if let command = service["command"] {
                    findings.note("the command of `\(name)` was not taken over: make it a service if it must run", source.evidence(command.line))
                }
                for port in service["ports"]?.list ?? [] {
                    let text = port["target"]?.text ?? port.text?.split(separator: ":").last.map { String($0.split(separator: "/").first ?? "") }
                    if let number = text.flatMap({ Int($0) }) { findings.add(.port(number), .environment, source.evidence(port.line)) }
                }
            } else {
                Self.service(name, service, source, .environment, &findings)
            }
        }
        for (name, volume) in root["volumes"]?.entries ?? [] {
            findings.note("the volume \(name) was not taken over: a machine's own disk keeps what is written", source.evidence(volume.line))
        }
    }

    private func environment(_ service: DataNode, _ source: SourceText, _ context: ImportContext, _ findings: inout Findings) {
        let names = Set(
            (service["depends_on"]?.entries.map(\.key) ?? []) + (service["depends_on"]?.texts.map(\.text) ?? []) + (service["links"]?.texts.map(\.text) ?? []))
        for (key, value, line) in Self.pairs(service["environment"]) {
            // Another container's name is this machine here.
            var local = value
            for name in names where local.contains(name) {
                local = local.replacing("@\(name)", with: "@127.0.0.1").replacing("//\(name)", with: "//127.0.0.1")
                if local == name || local.hasPrefix(name + ":") && !local.hasPrefix(name + "://") { local = "127.0.0.1" + local.dropFirst(name.count) }
            }
            context.variable(key, local, source.evidence(line), .environment, &findings)
        }
        for file in service["env_file"]?.texts ?? [] { findings.note("the variables of \(file.text) were not taken over", source.evidence(file.line)) }
    }

    /// A mapping, or a list of `NAME=value`.
    static func pairs(_ node: DataNode?) -> [(key: String, value: String, line: Int)] {
        guard let node else { return [] }
        if case .map(let entries) = node.value { return entries.map { ($0.key, $0.value.text ?? "", $0.value.line) } }
        return node.texts.compactMap { item in
            let parts = item.text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return parts.count == 2 ? (parts[0], parts[1], item.line) : nil
        }
    }

    private static let fallback = Pattern(known: #"^\$\{[A-Za-z_]\w*:?-([^}]*)\}$"#)

    /// A service of a compose file or a workflow, by its image.
    static func service(_ name: String, _ node: DataNode, _ source: SourceText, _ origin: Finding.Origin, _ findings: inout Findings) {
        let image = node["image"]
        let evidence = source.evidence(image?.line ?? node.line)
        guard let text = image?.text ?? node.text else { return findings.note("the service `\(name)` has no image", source.evidence(node.line)) }
        guard let service = ServiceTable.known.forImage(fallback.firstMatch(text)?[1] ?? text) else {
            return findings.note("the service `\(name)` (\(text)) has no local one that is known", evidence)
        }
        var use = ServiceUse(service.name)
        for (key, value, _) in pairs(node["environment"] ?? node["env"]) {
            let plain = fallback.firstMatch(value)?[1] ?? value
            guard ServiceTable.isPlain(plain) else { continue }
            switch key {
            case "POSTGRES_DB", "MYSQL_DATABASE", "MARIADB_DATABASE": use.database = plain
            case "POSTGRES_USER", "MYSQL_USER", "MARIADB_USER": use.user = plain
            case "POSTGRES_PASSWORD", "MYSQL_PASSWORD", "MARIADB_PASSWORD": use.password = plain
            default: continue
            }
        }
        findings.add(.service(use), origin, evidence)
        if let tag = text.split(separator: ":").dropFirst().last, let wanted = Version(tag), !Suites.known.versions(of: service.name, in: "bookworm").isEmpty,
            !Suites.known.names.contains(where: { suite in Suites.known.versions(of: service.name, in: suite).contains { $0.parts[0] == wanted.parts[0] } })
        {
            findings.note("\(service.title) \(tag) is in no Debian suite: the recipe has Debian's own", evidence)
        }
        if let command = node["command"] { findings.note("the command of `\(name)` was not taken over", source.evidence(command.line)) }
        for volume in node["volumes"]?.texts ?? [] where volume.text.contains("initdb.d") {
            findings.note("\(volume.text) fills the database at its first start, and was not taken over", source.evidence(volume.line))
        }
    }
}
