/// `devcontainer.json`: image or build, features, lifecycle commands, environment, ports, user, resources.
///
/// Source: the Development Container Specification's metadata reference.
struct DevcontainerImporter: Importer {
    private static let known: Set = [
        "name", "image", "build", "dockerFile", "context", "dockerComposeFile", "service", "runServices", "features", "overrideFeatureInstallOrder",
        "onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand", "initializeCommand", "waitFor",
        "containerEnv", "remoteEnv", "forwardPorts", "portsAttributes", "otherPortsAttributes", "appPort", "remoteUser", "containerUser",
        "updateRemoteUserUID", "hostRequirements", "workspaceFolder", "customizations", "settings", "extensions", "shutdownAction", "overrideCommand",
        "userEnvProbe", "$schema", "secrets",
    ]

    func files(_ repository: Repository) -> [String] {
        [".devcontainer/devcontainer.json", ".devcontainer.json"].filter(repository.contains)
            + repository.files(matching: ".devcontainer/*/devcontainer.json").map(\.path)
    }

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        let root = try JSONText.read(source)
        func at(_ node: DataNode) -> Evidence { source.evidence(node.line) }
        if let image = root["image"], let name = image.text { context.image(name, at(image), .environment, &findings) }
        if let build = root["build"], let args = build["args"] {
            for (name, value) in args.entries { findings.note("the build argument \(name)=\(value.text ?? "") is not taken over", at(value)) }
        }
        // The Dockerfile itself is read as one; only if it is in the repository.
        if let file = root[path: "build", "dockerfile"] ?? root["dockerFile"], let name = file.text, dockerfile(name, source, context) == nil {
            findings.note("the Dockerfile \(name) is not in the repository", at(file))
        }
        for (reference, options) in root["features"]?.entries ?? [] { feature(reference, options, at(options), context, &findings) }
        for (key, value) in root["containerEnv"]?.entries ?? [] {
            if let text = value.text { context.variable(key, text, at(value), .environment, &findings) }
        }
        for (key, value) in root["remoteEnv"]?.entries ?? [] {
            if let text = value.text { context.variable(key, text, at(value), .environment, &findings) }
        }
        for (key, value) in root["secrets"]?.entries ?? [] { findings.add(.secret(key, isRequired: false), .environment, at(value)) }
        for key in ["onCreateCommand", "updateContentCommand", "postCreateCommand"] {
            if let command = root[key] { carry(key, command, source, context, &findings) }
        }
        for key in ["postStartCommand", "postAttachCommand"] {
            if let command = root[key] { findings.note("\(key) runs at each start, and was not taken over: make it a service if it must stay", at(command)) }
        }
        if let command = root["initializeCommand"] { findings.note("initializeCommand runs on the host, which a recipe never does", at(command)) }
        for port in (root["forwardPorts"]?.listOrSelf ?? []) + (root["appPort"]?.listOrSelf ?? []) {
            guard let text = port.text?.split(separator: ":").last, let number = Int(text) else { continue }
            findings.add(.port(number), .environment, at(port))
        }
        for key in ["remoteUser", "containerUser"] {
            if let node = root[key], let user = node.text, user != "root" { findings.add(.user(user), .environment, at(node)) }
        }
        if let needs = root["hostRequirements"] {
            let size = { (key: String) in
                needs[key]?.text.map { $0.lowercased().replacing("gb", with: "GiB").replacing("mb", with: "MiB").replacing("tb", with: "TiB") }
            }
            findings.add(.resources(cpus: needs["cpus"]?.text.flatMap { Int($0) }, memory: size("memory"), disk: size("storage")), .environment, at(needs))
            if let gpu = needs["gpu"] { findings.note("hostRequirements.gpu: machines have no GPU", at(gpu)) }
        }
        if let folder = root["workspaceFolder"], let path = folder.text, !path.contains("$") { findings.add(.workspace(path), .environment, at(folder)) }
        if root["mounts"] != nil || root["workspaceMount"] != nil, let mounts = root["mounts"] ?? root["workspaceMount"] {
            findings.note("mounts of the host are not taken over: say them when a machine starts, with -v", at(mounts))
        }
        for key in ["runArgs", "capAdd", "securityOpt", "privileged", "init"] {
            if let node = root[key] { findings.note("\(key) is not taken over: machines have rules of their own", at(node)) }
        }
        for (key, value) in root.entries
        where !Self.known.contains(key) && !["mounts", "workspaceMount", "runArgs", "capAdd", "securityOpt", "privileged", "init"].contains(key) {
            findings.note("`\(key)` is not known, and was not taken over", at(value))
        }
    }

    private func dockerfile(_ name: String, _ source: SourceText, _ context: ImportContext) -> String? {
        let folder = source.path.split(separator: "/").dropLast()
        var parts = folder.map(String.init)
        for part in name.split(separator: "/") where part != "." { if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) } }
        let path = parts.joined(separator: "/")
        return context.repository.contains(path) ? path : nil
    }

    /// `registry.example.com/devcontainers/features/python:1`.
    private func feature(_ reference: String, _ options: DataNode, _ evidence: Evidence, _ context: ImportContext, _ findings: inout Findings) {
        let last = reference.split(separator: "/").last.map(String.init) ?? reference
        let name = last.split(separator: ":").first.map(String.init) ?? last
        guard let feature = NameTables.features[name] else { return findings.note("the feature \(reference) is not known, and was not taken over", evidence) }
        if let language = feature.language {
            let version = options["version"]?.text.flatMap { ["latest", "lts", "none", "os-provided", "stable"].contains($0) ? nil : VersionConstraint($0) }
            findings.add(.language(language, version), .environment, evidence)
        }
        for package in feature.packages { findings.add(.systemPackage(package), .environment, evidence) }
        if let service = feature.service { findings.add(.service(ServiceUse(service)), .environment, evidence) }
        if let input = feature.input {
            for name in (options[input]?.text ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
                ScriptCarrier.package(String(name), evidence, .environment, &findings)
            }
        }
    }

    /// A text for a shell, a list of words, or a mapping of either, all at once.
    private func carry(_ key: String, _ node: DataNode, _ source: SourceText, _ context: ImportContext, _ findings: inout Findings) {
        let name = key.replacing("Command", with: "").replacing("onCreate", with: "on create").replacing("updateContent", with: "update content")
            .replacing("postCreate", with: "post create")
        switch node.value {
        case .text(let script): context.carrier.carry(script, name: name, from: source, line: node.line, .environment, &findings)
        case .list(let words):
            let script = words.compactMap(\.text).map(ShellQuote.word).joined(separator: " ")
            context.carrier.carry(script, name: name, from: source, line: node.line, .environment, &findings)
        case .map(let entries):
            for (part, value) in entries {
                let script = value.text ?? value.list.compactMap(\.text).map(ShellQuote.word).joined(separator: " ")
                context.carrier.carry(script, name: "\(name) \(part)", from: source, line: value.line, .environment, &findings)
            }
        case .nothing: break
        }
    }
}

enum ShellQuote {
    private static let plain = Pattern(known: #"^[A-Za-z0-9_./@:=+,-]+$"#)

    /// One word to a shell.
    static func word(_ text: String) -> String { plain.isFound(in: text) ? text : "'" + text.replacing("'", with: "'\\''") + "'" }
}
