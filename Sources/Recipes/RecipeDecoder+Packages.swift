/// `packages`: what each manager is to install, by the manager's own definition.
extension RecipeDecoder {
    func packages(_ node: SourceNode) -> Recipe.Packages {
        var packages = Recipe.Packages()
        let schema = RecipeSchema(
            noun: "`packages`", keys: managers.names.map { RecipeSchema.Key(name: $0, shape: "a list, or a mapping") },
            advice: "another manager is a file Managers/NAME.yaml, see Docs/managers.md")
        guard let fields = fields(node, schema, "packages") else { return packages }
        for name in managers.names {
            guard let node = fields.node(name) else { continue }
            do {
                guard let manager = try managers.find(name) else { continue }
                if manager.isUntested {
                    report(node.location, "nobody has tried `packages.\(name)` against its real registry yet", severity: .warning)
                }
                if let request = request(manager, node) { packages.requests.append(request) }
            } catch let error as RecipeDiagnostics {
                for diagnostic in error.diagnostics { add(diagnostic) }
            } catch {
                report(node.location, "the manager `\(name)` cannot be read: \(error)")
            }
        }
        packages.requests.sort { ($0.manager.order, $0.manager.name) < ($1.manager.order, $1.manager.name) }
        return packages
    }

    private func request(_ manager: PackageManager, _ node: SourceNode) -> Recipe.PackageRequest? {
        var request = Recipe.PackageRequest(manager)
        let path = "packages.\(manager.name)"
        if case .list = node.value, manager.items != nil {
            request.packages = list(node, path, expected: "a list").compactMap { item(manager, $0.node, $0.path) }
            unique(request.packages, path, "package")
            return request.packages.isEmpty ? nil : request
        }
        guard let fields = fields(node, Self.schema(of: manager), path) else { return nil }
        request.packages = fields.list("packages").compactMap { item(manager, $0.node, $0.path) }
        unique(request.packages, "\(path).packages", "package")
        request.project = project(fields)
        request.registry = fields.value("registry", "a URL, or a folder beside the recipe") { text in
            text.contains(where: \.isWhitespace) || text.hasPrefix("-") ? nil : text
        }
        if let url = request.registry, let place = locations["\(path).registry"], url.wholeMatch(of: /[a-z+]+:\/\/[^\/]*@.*/) != nil {
            report(place, "`\(path).registry` holds credentials, which would be recorded in the image", expected: "a URL without user and password")
        }
        for key in manager.keys {
            guard let node = fields.node(key.name) else { continue }
            let values = values(key, node, fields.path(key.name))
            if !values.isEmpty { request.options[key.name] = values }
        }
        if request.packages.isEmpty, request.project == nil, request.files.isEmpty, !hasErrors(below: path) {
            let keys =
                manager.keys.filter { $0.kind == .files }.map(\.name) + (manager.items == nil ? [] : ["packages"]) + (manager.project == nil ? [] : ["project"])
            report(node.location, "`\(path)` names nothing to install", expected: keys.map { "\($0):" }.joined(separator: " or ") + " in it")
        }
        return request
    }

    /// Whether a value below this path was found wrong already: what is missing then is no second mistake.
    private func hasErrors(below path: String) -> Bool { diagnostics.contains { $0.severity == .error && $0.message.contains("`\(path).") } }

    static func schema(of manager: PackageManager) -> RecipeSchema {
        var keys = manager.keys.filter { $0.kind == .files }.map { RecipeSchema.Key(name: $0.name, shape: $0.shape) }
        if manager.items != nil { keys.append(.init(name: "packages", shape: "a list of packages")) }
        if manager.project != nil { keys.append(.init(name: "project", shape: "a folder of the workspace")) }
        keys += manager.keys.filter { $0.kind != .files }.map { RecipeSchema.Key(name: $0.name, shape: $0.shape) }
        keys.append(.init(name: "registry", shape: "a URL, or a folder beside the recipe"))
        return RecipeSchema(noun: "`packages.\(manager.name)`", keys: keys)
    }

    private func item(_ manager: PackageManager, _ node: SourceNode, _ path: String) -> String? {
        guard let items = manager.items else { return nil }
        return value(node, path, expected: items.shape) { Self.matches($0.trimmed, items.pattern) ? $0.trimmed : nil }
    }

    private func project(_ fields: Fields) -> String? {
        guard let node = fields.node("project"), let text = text(node, fields.path("project"), expected: fields.shape("project")) else { return nil }
        if let problem = Quantities.hostPathProblem(text) ?? (text.split(separator: "/").contains("..") ? "it leads out of the workspace" : nil) {
            report(node.location, "`\(fields.path("project"))` is `\(text)`: \(problem)", expected: "a folder of the workspace, such as frontend or `.`")
            return nil
        }
        let parts = text.split(separator: "/").filter { $0 != "." }
        return parts.isEmpty ? "." : parts.joined(separator: "/")
    }

    private func values(_ key: PackageManager.Key, _ node: SourceNode, _ path: String) -> [String] {
        switch key.kind {
        case .path:
            guard let text = text(node, path, expected: key.shape) else { return [] }
            guard let problem = Quantities.machinePathProblem(text) else { return [text] }
            report(node.location, "`\(path)` is `\(text)`: \(problem)", expected: "an absolute path in the machine")
            return []
        case .text: return value(node, path, expected: key.shape) { Self.matches($0, key.pattern) ? $0 : nil }.map { [$0] } ?? []
        case .words, .files:
            guard case .list = node.value else { return value(node, path, expected: key.shape) { Self.matches($0, key.pattern) ? $0 : nil }.map { [$0] } ?? [] }
            return list(node, path, expected: key.shape).compactMap { item in
                value(item.node, item.path, expected: key.shape) { Self.matches($0, key.pattern) ? $0 : nil }
            }
        }
    }

    static func matches(_ text: String, _ pattern: String?) -> Bool {
        if text.contains(where: \.isNewline) { return false }
        guard let pattern else { return true }
        // A pattern that is none was told when its file was read.
        guard let regex = try? Regex(pattern) else { return false }
        return text.wholeMatch(of: regex) != nil
    }
}

extension RecipeSchema {
    /// The managers that are built in, in the order of their layers.
    static let packages: RecipeSchema = {
        // Those that are built in can be read; a test does.
        let managers = ManagerCatalog.builtInNames.compactMap { try? ManagerCatalog(folder: "").find($0) }
        let ordered = managers.sorted { ($0.order, $0.name) < ($1.order, $1.name) }
        return RecipeSchema(noun: "`packages`", keys: ordered.map { Key(name: $0.name, shape: "a list, or a mapping") })
    }()

    /// The mapping of a manager that is built in.
    static func manager(_ name: String) -> RecipeSchema? {
        // As above.
        (try? ManagerCatalog(folder: "").find(name)).map { RecipeDecoder.schema(of: $0) }
    }
}
