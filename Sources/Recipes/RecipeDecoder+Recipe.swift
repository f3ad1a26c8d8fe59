/// The sections of a recipe. Each reads what it can; the recipe is only used when nothing was reported.
extension RecipeDecoder {
    func recipe(_ root: SourceNode) -> Recipe {
        var recipe = Recipe()
        guard let fields = fields(root, .recipe, "") else { return recipe }
        recipe.version = fields.value("version", "1, the only version so far") { $0 == "1" ? 1 : nil } ?? 1
        recipe.name = fields.name("name") ?? ""
        recipe.description = fields.text("description")
        recipe.base = base(fields) ?? .named("")
        if let node = fields.node("resources") { recipe.resources = resources(node) }
        if let node = fields.node("packages") { recipe.packages = packages(node) }
        recipe.files = fields.list("files").map { file($0.node, $0.path) }
        recipe.env = fields.environment("env")
        recipe.user = fields.user("user") ?? "root"
        recipe.timeout = fields.duration("timeout")
        if let node = fields.node("workspace") { recipe.workspace = workspace(node) }
        recipe.repositories = fields.list("repositories").map { repository($0.node, $0.path) }
        recipe.steps = fields.list("steps").compactMap { step($0.node, $0.path) }
        recipe.services = fields.list("services").map { service($0.node, $0.path) }
        recipe.checks = fields.list("checks").enumerated().compactMap {
            check($0.element.node, $0.element.path, number: $0.offset + 1)
        }
        recipe.ports = ports(fields)
        recipe.secrets = fields.list("secrets").compactMap { secret($0.node, $0.path) }
        recipe.standIns = fields.list("stand_ins").compactMap { standIn($0.node, $0.path) }
        if let node = fields.node("network") { recipe.network = network(node) }
        if let node = fields.node("prewarm") { recipe.prewarm = prewarm(node) }
        return recipe
    }

    private func base(_ fields: Fields) -> Recipe.Base? {
        let expected = "a base such as debian-bookworm, an image (name:tag), oci:REF, oci-layout:PATH or tar:PATH"
        return fields.value("base", expected) { text in
            func rest(_ prefix: String) -> String? {
                text.hasPrefix(prefix) && text.count > prefix.count ? String(text.dropFirst(prefix.count)) : nil
            }
            if text.contains(where: { $0.isWhitespace }) { return nil }
            func layout(_ path: String) -> Recipe.Base? {
                let parts = path.split(separator: ":", maxSplits: 1).map(String.init)
                return parts.isEmpty ? nil : .ociLayout(path: parts[0], reference: parts.count > 1 ? parts[1] : nil)
            }
            if let path = rest("oci-layout:") { return layout(path) }
            if let path = rest("tar:") { return .tar(path: path) }
            if let reference = rest("oci:") { return Quantities.beginsWithHost(reference) ? .oci(reference) : layout(reference) }
            if text.wholeMatch(of: /sha256:[0-9a-f]{6,64}/) != nil { return .image(text) }
            if text.wholeMatch(of: /[a-z0-9][a-z0-9._\/-]*:[A-Za-z0-9_][A-Za-z0-9._-]*/) != nil {
                return .image(text)
            }
            return Quantities.isName(text) ? .named(text) : nil
        }
    }

    private func resources(_ node: SourceNode) -> Recipe.Resources {
        var resources = Recipe.Resources()
        guard let fields = fields(node, .resources, "resources") else { return resources }
        resources.cpus = fields.value("cpus", "a number of CPUs from 0.1 to 1024") {
            Quantities.isNumber($0) ? Double($0).flatMap { (0.1...1024).contains($0) ? $0 : nil } : nil
        }
        resources.memory = fields.size("memory", (64 << 20)...(64 << 40), "from 64MiB to 64TiB")
        resources.disk = fields.size("disk", (256 << 20)...(64 << 40), "from 256MiB to 64TiB")
        return resources
    }

    private func file(_ node: SourceNode, _ path: String) -> Recipe.FileCopy {
        guard let fields = fields(node, .file, path) else { return Recipe.FileCopy(from: "", to: "") }
        let from = fields.text("from")
        let to = fields.machinePath("to")
        let mode = fields.value("mode", "an octal mode such as \"0644\"") { Quantities.mode($0) }
        // An entry with a problem keeps its place, so that the others are still checked against their own lines.
        return Recipe.FileCopy(from: from ?? "", to: to ?? "", mode: mode)
    }

    private func workspace(_ node: SourceNode) -> Recipe.WorkspaceSpec {
        var workspace = Recipe.WorkspaceSpec()
        guard let fields = fields(node, .workspace, "workspace") else { return workspace }
        if let path = fields.machinePath("path") { workspace.path = path }
        if let from = fields.text("from") { workspace.from = from }
        return workspace
    }

    private func repository(_ node: SourceNode, _ path: String) -> Recipe.Repository {
        guard let fields = fields(node, .repository, path) else { return Recipe.Repository(url: "", path: "", ref: "") }
        let url = fields.value(
            "url", "a git URL (https://, ssh://, git@host:path, file://) or a path beside the recipe"
        ) {
            $0.contains(where: \.isWhitespace) || $0.hasPrefix("-") ? nil : $0
        }
        if let url, let place = locations["\(path).url"], url.wholeMatch(of: /https?:\/\/[^\/]*@.*/) != nil {
            report(
                place, "`\(path).url` holds credentials, which would be recorded in the image",
                expected: "a URL without user and password")
        }
        let ref = fields.value("ref", "a branch, a tag or a commit") {
            $0.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._\/+-]*/) != nil && !$0.contains("..") ? $0 : nil
        }
        var repository = Recipe.Repository(url: url ?? "", path: fields.machinePath("path") ?? "", ref: ref ?? "HEAD")
        repository.depth = fields.value("depth", "a number of commits from 1 to 1000000") { Int($0).flatMap { (1...1_000_000).contains($0) ? $0 : nil } }
        repository.isPartial = fields.flag("partial") ?? false
        repository.hasSubmodules = fields.flag("submodules") ?? true
        repository.hasLargeFiles = fields.flag("lfs") ?? true
        return repository
    }

    private func secret(_ node: SourceNode, _ path: String) -> Recipe.Secret? {
        guard let fields = fields(node, .secret, path) else { return nil }
        let name = fields.value("name", "a variable's name such as API_TOKEN") {
            Quantities.isVariable($0) ? $0 : nil
        }
        let hosts = fields.list("hosts").compactMap { item in
            value(item.node, item.path, expected: "a host name such as api.example.com or *.example.com") {
                $0.wholeMatch(of: /(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?/) != nil ? $0 : nil
            }
        }
        let required = fields.flag("required") ?? false
        return name.map { Recipe.Secret(name: $0, isRequired: required, hosts: hosts) }
    }

    private func standIn(_ node: SourceNode, _ path: String) -> Recipe.StandIn? {
        guard let fields = fields(node, .standIn, path) else { return nil }
        let value = fields.text("value")
        // What a value is for is a variable; all else is named elsewhere in the recipe.
        let name =
            fields.node("value") == nil
            ? fields.text("name")
            : fields.value("name", "a variable's name such as API_TOKEN, since there is a `value`") { Quantities.isVariable($0) ? $0 : nil }
        guard let name, let purpose = fields.text("for"), let reason = fields.text("reason") else { return nil }
        return Recipe.StandIn(name: name, purpose: purpose, reason: reason, value: value)
    }

    private func network(_ node: SourceNode) -> Recipe.Network {
        var network = Recipe.Network()
        guard let fields = fields(node, .network, "network") else { return network }
        network.build = mode(fields, "build") ?? .open
        network.run = mode(fields, "run") ?? .open
        return network
    }

    /// `none` or `open`; an allow-list is an error until something enforces it.
    func mode(_ fields: Fields, _ key: String) -> Recipe.NetworkMode? {
        if let node = fields.node(key), case .map(let entries) = node.value,
            let allow = entries.first(where: { $0.key == "allow" })
        {
            report(
                allow.location, "network allow-lists are not enforced yet, so `\(fields.path(key))` cannot have one",
                expected: "none or open")
            return nil
        }
        return fields.choice(key, Recipe.NetworkMode.self)
    }

    private func prewarm(_ node: SourceNode) -> Recipe.Prewarm? {
        report(node.location, "`prewarm` is not in force yet: no machine is started ahead of need", severity: .warning)
        guard let fields = fields(node, .prewarm, "prewarm") else { return nil }
        let count = fields.value("count", "a whole number from 0 to 1000") {
            Int($0).flatMap { (0...1000).contains($0) ? $0 : nil }
        }
        let memory = fields.flag("memory") ?? false
        return count.map { Recipe.Prewarm(count: $0, memory: memory) }
    }

    /// One text, or a list of them.
    package func texts(_ node: SourceNode, _ path: String, expected: String) -> [String] {
        if case .list = node.value {
            return list(node, path, expected: expected).compactMap { text($0.node, $0.path, expected: "text") }
        }
        return text(node, path, expected: expected).map { [$0] } ?? []
    }

    /// Tells what stands twice in a list of plain values.
    func unique(_ values: [String], _ path: String, _ noun: String) {
        guard Set(values).count < values.count, !isApart else { return }
        var seen: Set<String> = []
        var index = 0
        while let place = locations["\(path).\(index)"] {
            defer { index += 1 }
            guard let text = texts["\(path).\(index)"], !seen.insert(text).inserted else { continue }
            report(place, "the \(noun) `\(text)` stands twice in `\(path)`", expected: "each \(noun) once")
        }
    }
}
