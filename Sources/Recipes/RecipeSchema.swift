/// What a mapping of the recipe may hold. The decoder reads by it; a key that is not here does not exist.
package struct RecipeSchema: Sendable {
    package struct Key: Sendable {
        let name: String
        /// What its value looks like, for a diagnostic.
        let shape: String
        var isRequired = false

        package init(name: String, shape: String, isRequired: Bool = false) { (self.name, self.shape, self.isRequired) = (name, shape, isRequired) }
    }

    /// "a step", "`resources`": what the mapping is called in a diagnostic.
    let noun: String
    let keys: [Key]
    /// Keys of the design that this version does not have yet.
    var later: [String: String] = [:]
    /// What can be done about a key that is not here.
    var advice: String?

    package init(noun: String, keys: [Key], later: [String: String] = [:], advice: String? = nil) {
        (self.noun, self.keys, self.later, self.advice) = (noun, keys, later, advice)
    }

    var allowed: String { keys.map(\.name).joined(separator: ", ") + (advice.map { "; \($0)" } ?? "") }

    private static func key(_ name: String, _ shape: String, required: Bool = false) -> Key {
        Key(name: name, shape: shape, isRequired: required)
    }

    static let recipe = RecipeSchema(
        noun: "a recipe",
        keys: [
            key("version", "1", required: true), key("name", "a name", required: true),
            key("description", "text"), key("extends", "a recipe's file, or { file or image, without }"),
            key("include", "a list of fragments"), key("variables", "a mapping of names to { type, default }"),
            key("matrix", "a mapping of variables to lists of values"), key("base", "an image", required: true),
            key("resources", "{ cpus, memory, disk }"), key("packages", "{ apt, pip and other managers }"),
            key("files", "a list of { from, to, mode }"), key("env", "a mapping of names to values"),
            key("user", "a user"), key("timeout", "a duration"), key("workspace", "{ path, from }"),
            key("repositories", "a list of { url, path, ref }"), key("steps", "a list of steps"),
            key("services", "a list of services"), key("checks", "a list of checks"), key("ports", "a list of ports"),
            key("secrets", "a list of secrets"), key("stand_ins", "a list of stand-ins"), key("network", "{ build, run }"),
            key("prewarm", "{ count, memory }"),
        ],
        later: [
            "when": "say `when` on steps, packages, files, services and checks",
            "lock": "pin versions in `packages` (`name=version`, `name==version`)",
        ])

    static let include = RecipeSchema(
        noun: "an entry of `include`",
        keys: [key("file", "a file"), key("image", "an image"), key("path", "an absolute path in the image")])
    static let extends = RecipeSchema(
        noun: "`extends`",
        keys: [
            key("file", "a file"), key("image", "an image"), key("path", "an absolute path in the image"),
            key("without", "a mapping of keys to `all` or lists of names"),
        ])
    static let variable = RecipeSchema(
        noun: "a variable",
        keys: [key("type", "text, number, switch or choice"), key("choices", "a list of values"), key("default", "a value"), key("description", "text")])
    private static let when = key("when", "a mapping of arch and variables to values")

    static let resources = RecipeSchema(
        noun: "`resources`", keys: [key("cpus", "a number"), key("memory", "a size"), key("disk", "a size")])
    static let file = RecipeSchema(
        noun: "an entry of `files`",
        keys: [
            key("from", "a path beside the recipe", required: true),
            key("to", "an absolute path in the machine", required: true), key("mode", "an octal mode"),
            when,
        ])
    static let workspace = RecipeSchema(
        noun: "`workspace`", keys: [key("path", "an absolute path in the machine"), key("from", "a folder")])
    static let repository = RecipeSchema(
        noun: "an entry of `repositories`",
        keys: [
            key("url", "a git URL or a local path", required: true),
            key("path", "an absolute path in the machine", required: true), key("ref", "a branch, tag or commit"),
            key("depth", "a number of commits"), key("partial", "true or false"), key("submodules", "true or false"), key("lfs", "true or false"), when,
        ])
    static let step = RecipeSchema(
        noun: "a step",
        keys: [
            key("name", "a name", required: true), key("run", "a shell script", required: true),
            key("inputs", "a list of globs"), key("repositories", "a list of paths"), key("caches", "a list of caches"),
            key("secrets", "a list of secrets' names"),
            key("env", "a mapping of names to values"), key("user", "a user"), key("timeout", "a duration"),
            key("network", "none or open"), when,
        ])
    static let cache = RecipeSchema(
        noun: "a cache", keys: [key("name", "a name", required: true), key("shared", "true or false"), key("concurrent", "true or false")])
    static let stepSecret = RecipeSchema(
        noun: "a step's secret", keys: [key("name", "a secret's name", required: true), key("env", "a variable's name")])
    static let service = RecipeSchema(
        noun: "a service",
        keys: [
            key("name", "a name", required: true), key("run", "a shell script", required: true),
            key("ready", "a shell script"), key("timeout", "a duration"), key("restart", "never, on-failure or always"),
            key("user", "a user"), key("env", "a mapping of names to values"), key("ports", "a list of ports"),
            when,
        ])
    static let check = RecipeSchema(
        noun: "a check",
        keys: [
            key("name", "a name"), key("run", "a shell script", required: true), key("expect", "{ exit, output }"),
            key("user", "a user"), key("timeout", "a duration"), when,
        ])
    static let expect = RecipeSchema(
        noun: "`expect`", keys: [key("exit", "an exit code"), key("output", "{ contains }")])
    static let output = RecipeSchema(
        noun: "`output`", keys: [key("contains", "text, or a list of texts", required: true)])
    static let secret = RecipeSchema(
        noun: "a secret",
        keys: [
            key("name", "a variable's name", required: true), key("required", "true or false"),
            key("hosts", "a list of host names"),
        ])
    static let standIn = RecipeSchema(
        noun: "a stand-in",
        keys: [
            key("name", "a service, a step or a variable", required: true), key("for", "text", required: true), key("reason", "text", required: true),
            key("value", "a value"),
        ])
    static let network = RecipeSchema(
        noun: "`network`", keys: [key("build", "none or open"), key("run", "none or open")])
    static let prewarm = RecipeSchema(
        noun: "`prewarm`", keys: [key("count", "a number", required: true), key("memory", "true or false")])
}
