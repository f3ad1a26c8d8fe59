extension RecipeSchema {
    private static func key(_ name: String, _ shape: String, required: Bool = false) -> Key { Key(name: name, shape: shape, isRequired: required) }

    static let manager = RecipeSchema(
        noun: "a package manager",
        keys: [
            key("version", "1", required: true), key("name", "a name", required: true), key("description", "text"), key("untested", "true or false"),
            key("order", "a number"), key("program", "a program's name, or several", required: true), key("provide", "text"),
            key("items", "{ shape, pattern }"), key("keys", "a mapping of names to { kind, shape, default }"),
            key("project", "{ required, optional, place }"), key("environment", "{ inherit, set, path }"), key("registry", "{ variable }"),
            key("offline", "a mapping of names to values"), key("caches", "a list of { name, variable, shared, concurrent }"),
            key("functions", "a shell script"), key("resolve", "a shell script"), key("install", "a shell script", required: true),
            key("list", "a shell script"),
        ])
    static let managerItems = RecipeSchema(
        noun: "`items`", keys: [key("shape", "text", required: true), key("pattern", "a regular expression", required: true)])
    static let managerKey = RecipeSchema(
        noun: "a manager's key",
        keys: [
            key("kind", "path, text, words or files", required: true), key("shape", "text", required: true), key("default", "text"),
            key("pattern", "a regular expression"), key("includes", "a list of options"),
        ])
    static let managerProject = RecipeSchema(
        noun: "`project`",
        keys: [
            key("required", "a list of files", required: true), key("optional", "a list of globs"), key("place", "apart or workspace"),
        ])
    static let managerEnvironment = RecipeSchema(
        noun: "`environment`",
        keys: [key("inherit", "true or false"), key("set", "a mapping of names to values"), key("path", "a list of folders")])
    static let managerRegistry = RecipeSchema(noun: "`registry`", keys: [key("variable", "a variable's name", required: true)])
    static let managerCache = RecipeSchema(
        noun: "a manager's cache",
        keys: [
            key("name", "a name", required: true), key("variable", "a variable's name"), key("shared", "true or false"),
            key("concurrent", "true or false"),
        ])
}

/// Reads `Managers/NAME.yaml`.
extension RecipeDecoder {
    func packageManager(_ root: SourceNode) -> PackageManager {
        var manager = PackageManager()
        guard let fields = fields(root, .manager, "") else { return manager }
        _ = fields.value("version", "1, the only version so far") { $0 == "1" ? 1 : nil }
        manager.name = fields.name("name") ?? ""
        manager.description = fields.text("description")
        manager.isUntested = fields.flag("untested") ?? false
        manager.order = fields.value("order", "a whole number from 1 to 999") { Int($0).flatMap { (1...999).contains($0) ? $0 : nil } } ?? 100
        manager.programs = (fields.text("program") ?? "").split(separator: " ").map(String.init)
        manager.provide = fields.text("provide")
        if let node = fields.node("items"), let items = self.fields(node, .managerItems, "items") {
            manager.items = (items.text("shape") ?? "", pattern(items, "pattern") ?? "")
        }
        manager.keys = managerKeys(fields)
        if let node = fields.node("project") { manager.project = managerProject(node) }
        if let node = fields.node("environment"), let environment = self.fields(node, .managerEnvironment, "environment") {
            manager.inheritsEnvironment = environment.flag("inherit") ?? true
            manager.environment = environment.environment("set")
            manager.path = environment.list("path").compactMap { text($0.node, $0.path, expected: "a folder of the machine") }
        }
        if let node = fields.node("registry"), let registry = self.fields(node, .managerRegistry, "registry") {
            manager.registryVariable = variable(registry, "variable")
        }
        manager.offline = fields.environment("offline")
        manager.caches = fields.list("caches").compactMap { managerCache($0.node, $0.path) }
        manager.functions = fields.text("functions")
        manager.resolve = fields.text("resolve")
        manager.install = fields.text("install") ?? ""
        manager.list = fields.text("list")
        if manager.items == nil, manager.project == nil, !manager.keys.contains(where: { $0.kind == .files }) {
            report(root.location, "a package manager needs something to install", expected: "items:, project: or a key of the kind `files`")
        }
        return manager
    }

    private func managerKeys(_ fields: Fields) -> [PackageManager.Key] {
        guard let node = fields.node("keys") else { return [] }
        guard case .map(let entries) = node.value else {
            wrongType(node, "keys", expected: fields.shape("keys"))
            return []
        }
        return entries.compactMap { entry in
            let path = "keys.\(entry.key)"
            guard entry.key.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil, !PackageScript.ownVariables.contains(entry.key), entry.key != "packages" else {
                report(
                    entry.location, "`\(entry.key)` cannot be a key of a manager",
                    expected: "small letters, digits and `_`; no word that its scripts have already")
                return nil
            }
            guard let fields = self.fields(entry.value, .managerKey, path) else { return nil }
            var key = PackageManager.Key(name: entry.key)
            key.kind = fields.choice("kind", PackageManager.Key.Kind.self) ?? .text
            key.shape = fields.text("shape") ?? "text"
            key.fallback = key.kind == .path ? fields.machinePath("default") : fields.text("default")
            key.pattern = pattern(fields, "pattern")
            key.includes = fields.list("includes").compactMap { text($0.node, $0.path, expected: "an option such as -r") }
            return key
        }
    }

    private func managerProject(_ node: SourceNode) -> PackageManager.Project? {
        guard let fields = fields(node, .managerProject, "project") else { return nil }
        var project = PackageManager.Project()
        project.required = fields.list("required").compactMap { text($0.node, $0.path, expected: "a file's name") }
        project.optional = fields.list("optional").compactMap { text($0.node, $0.path, expected: "a glob") }
        project.place = fields.choice("place", PackageManager.Project.Place.self) ?? .apart
        return project
    }

    private func managerCache(_ node: SourceNode, _ path: String) -> PackageManager.CacheMount? {
        guard let fields = fields(node, .managerCache, path), let name = fields.name("name") else { return nil }
        return PackageManager.CacheMount(
            name: name, variable: variable(fields, "variable"), isShared: fields.flag("shared") ?? false, isConcurrent: fields.flag("concurrent") ?? false)
    }

    private func variable(_ fields: Fields, _ key: String) -> String? {
        fields.value(key, "a variable's name such as PIP_CACHE_DIR") { Quantities.isVariable($0) ? $0 : nil }
    }

    private func pattern(_ fields: Fields, _ key: String) -> String? {
        // Only whether it is one matters here.
        fields.value(key, "a regular expression for the whole value") { (try? Regex($0)) != nil ? $0 : nil }
    }
}
