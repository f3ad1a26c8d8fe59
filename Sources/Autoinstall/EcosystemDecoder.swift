import Recipes

extension RecipeSchema {
    private static func key(_ name: String, _ shape: String, required: Bool = false) -> Key { Key(name: name, shape: shape, isRequired: required) }
    private static let when = key("when", "{ file, content, after, until }, or a list of them of which one must be there")
    private static let unless = key("unless", "the same, of which none may be there")
    private static let each = key("each", "{ file, content, after, until }")
    private static let selecting = [
        key("file", "a glob", required: true), key("content", "a pattern"), key("after", "a pattern"), key("until", "a pattern"),
    ]

    static let ecosystem = RecipeSchema(
        noun: "an ecosystem",
        keys: [
            key("version", "1", required: true), key("name", "a name", required: true), key("description", "text"),
            key("language", "a language's name"), key("build", "a build system's name"),
            key("detect", "a list of globs, or of { file, content }", required: true), key("guess", "{ files, least }"),
            key("versions", "a list of { file, content, bare, value }"), key("packages", "a list of { apt, pip, when, unless }"),
            key("install", "a list of { manager, files, project }"), key("env", "a mapping of names to values"), key("steps", "a list of { name, run }"),
            key("in-sources", "true or false"), key("covers", "a list of patterns"), key("runners", "a list of { runner, run, packages }"),
            key("goals", "a list of { kind, run }"),
        ])
    static let ecosystemSelector = RecipeSchema(noun: "a selector", keys: selecting)
    static let ecosystemGuess = RecipeSchema(noun: "`guess`", keys: [key("files", "a glob", required: true), key("least", "a number")])
    static let ecosystemVersion = RecipeSchema(
        noun: "an entry of `versions`", keys: selecting + [key("bare", "exact or minimum"), key("value", "a constraint, with ${1}")])
    static let ecosystemPackages = RecipeSchema(
        noun: "an entry of `packages`", keys: ManagerCatalog.builtInNames.map { key($0, "a list of packages") } + [when, unless])
    static let ecosystemPackageLists = RecipeSchema(noun: "`packages`", keys: ManagerCatalog.builtInNames.map { key($0, "a list of packages") })
    static let ecosystemInstall = RecipeSchema(
        noun: "an entry of `install`",
        keys: [
            key("manager", "a package manager", required: true), key("key", "a key of the manager"), key("files", "a glob"),
            key("unless-line", "a pattern"), key("project", "a lock file"), when, unless,
        ])
    static let ecosystemStep = RecipeSchema(
        noun: "a step",
        keys: [
            key("name", "a name", required: true), key("run", "a shell script", required: true), key("inputs", "a list of globs"),
            key("caches", "a list of names"), when, unless, each,
        ])
    static let ecosystemRunner = RecipeSchema(
        noun: "a runner",
        keys: [
            key("runner", "who says how many tests ran", required: true), key("run", "a shell script", required: true), key("name", "a name"),
            key("rank", "a number"),
            key("packages", "{ apt, pip }"), when, unless, each,
        ])
    static let ecosystemGoal = RecipeSchema(
        noun: "a goal",
        keys: [
            key("kind", "help, version, import, build, lint or service", required: true), key("run", "a shell script", required: true),
            key("name", "a name"), key("exit", "an exit code"), key("pattern", "a pattern"), key("rank", "a number"), key("packages", "{ apt, pip }"), when,
            unless, each,
        ])
}

/// Reads `Ecosystems/NAME.yaml`.
extension RecipeDecoder {
    func ecosystem(_ root: SourceNode) -> Ecosystem {
        var ecosystem = Ecosystem()
        guard let fields = fields(root, .ecosystem, "") else { return ecosystem }
        _ = fields.value("version", "1, the only version so far") { $0 == "1" ? 1 : nil }
        ecosystem.name = fields.name("name") ?? ""
        ecosystem.description = fields.text("description")
        ecosystem.language = fields.name("language")
        ecosystem.buildSystem = fields.text("build")
        ecosystem.isInSources = fields.flag("in-sources") ?? false
        ecosystem.detect = fields.list("detect").compactMap { item in
            if case .scalar = item.node.value { return glob(item.node, item.path).map { Ecosystem.Selector(file: $0) } }
            return self.fields(item.node, .ecosystemSelector, item.path).flatMap { selector($0) }
        }
        if let node = fields.node("guess"), let guess = self.fields(node, .ecosystemGuess, "guess"), let files = guess.node("files") {
            let least = guess.value("least", "a whole number from 1 to 1000") { Int($0).flatMap { (1...1000).contains($0) ? $0 : nil } } ?? 1
            ecosystem.guess = glob(files, "guess.files").map { ($0, least) }
        }
        ecosystem.versions = fields.list("versions").compactMap { item in
            guard let fields = self.fields(item.node, .ecosystemVersion, item.path), let selector = selector(fields) else { return nil }
            return Ecosystem.VersionReader(
                selector: selector, bare: fields.choice("bare", VersionConstraint.Bare.self) ?? .exact, value: fields.text("value"))
        }
        ecosystem.packages = fields.list("packages").compactMap { item in
            self.fields(item.node, .ecosystemPackages, item.path).map {
                Ecosystem.PackageSet(packages: packageLists($0), condition: condition($0))
            }
        }
        ecosystem.installs = fields.list("install").compactMap { install($0.node, $0.path) }
        ecosystem.env = fields.environment("env")
        ecosystem.steps = fields.list("steps").compactMap { ecosystemStep($0.node, $0.path) }
        ecosystem.covers = fields.list("covers").compactMap { compiled($0.node, $0.path) }
        ecosystem.commands =
            fields.list("runners").enumerated().compactMap { command($0.element.node, $0.element.path, number: $0.offset, isRunner: true) }
            + fields.list("goals").enumerated().compactMap { command($0.element.node, $0.element.path, number: $0.offset, isRunner: false) }
        return ecosystem
    }

    private func glob(_ node: SourceNode, _ path: String) -> String? {
        guard let text = text(node, path, expected: "a glob from the project's folder, such as setup.py or \"src/**/*.c\"") else { return nil }
        if let problem = GlobPattern.problem(text) ?? (text.hasPrefix("/") || text.split(separator: "/").contains("..") ? "it leads out of the project" : nil)
            ?? (text.split(separator: "**", omittingEmptySubsequences: false).count > 4 ? "more than three `**`" : nil)
        {
            report(node.location, "`\(path)` is `\(text)`: \(problem)", expected: "a glob from the project's folder")
            return nil
        }
        return text
    }

    private func compiled(_ node: SourceNode, _ path: String) -> Pattern? {
        guard let text = text(node, path, expected: "a pattern") else { return nil }
        do { return try Pattern(text) } catch {
            report(node.location, "`\(path)` is no pattern: \(error)", expected: "a pattern, as Docs/autoinstall.md has them")
            return nil
        }
    }

    private func pattern(_ fields: Fields, _ key: String) -> Pattern? { fields.node(key).flatMap { compiled($0, fields.path(key)) } }

    private func selector(_ fields: Fields) -> Ecosystem.Selector? {
        guard let node = fields.node("file"), let file = glob(node, fields.path("file")) else { return nil }
        return Ecosystem.Selector(file: file, content: pattern(fields, "content"), after: pattern(fields, "after"), until: pattern(fields, "until"))
    }

    private func selectors(_ fields: Fields, _ key: String) -> [Ecosystem.Selector] {
        guard let node = fields.node(key) else { return [] }
        let path = fields.path(key)
        if case .list = node.value {
            return list(node, path, expected: "a list of { file, content }").compactMap { item in
                self.fields(item.node, .ecosystemSelector, item.path).flatMap { selector($0) }
            }
        }
        return self.fields(node, .ecosystemSelector, path).flatMap { selector($0) }.map { [$0] } ?? []
    }

    private func condition(_ fields: Fields) -> Ecosystem.Condition {
        Ecosystem.Condition(any: selectors(fields, "when"), none: selectors(fields, "unless"))
    }

    private func packageLists(_ fields: Fields) -> [String: [String]] {
        var lists: [String: [String]] = [:]
        for manager in ManagerCatalog.builtInNames {
            let packages = fields.list(manager).compactMap { text($0.node, $0.path, expected: "a package") }
            if !packages.isEmpty { lists[manager] = packages }
        }
        return lists
    }

    private func install(_ node: SourceNode, _ path: String) -> Ecosystem.Install? {
        guard let fields = fields(node, .ecosystemInstall, path) else { return nil }
        let names = ManagerCatalog.builtInNames
        guard let manager = fields.value("manager", names.joined(separator: ", "), { names.contains($0) ? $0 : nil }) else { return nil }
        let files = fields.node("files").flatMap { glob($0, fields.path("files")) }
        let lock = fields.node("project").flatMap { glob($0, fields.path("project")) }
        if (files == nil) == (lock == nil) {
            report(node.location, "`\(path)` needs one of `files` and `project`", expected: "files: a glob, or project: a lock file")
            return nil
        }
        let what: Ecosystem.Install.What
        if let lock {
            what = .project(lock: lock)
        } else {
            what = .files(key: fields.text("key") ?? "requirements", glob: files ?? "", unlessLine: pattern(fields, "unless-line"))
        }
        return Ecosystem.Install(manager: manager, what: what, condition: condition(fields))
    }

    private func ecosystemStep(_ node: SourceNode, _ path: String) -> Ecosystem.Step? {
        guard let fields = fields(node, .ecosystemStep, path), let name = fields.title("name"), let run = fields.text("run") else { return nil }
        var step = Ecosystem.Step(name: name, run: run)
        if fields.node("inputs") != nil { step.inputs = fields.list("inputs").compactMap { text($0.node, $0.path, expected: "a glob") } }
        step.caches = fields.list("caches").compactMap { text($0.node, $0.path, expected: "a cache's name") }
        step.condition = condition(fields)
        step.each = selectors(fields, "each").first
        return step
    }

    private func command(_ node: SourceNode, _ path: String, number: Int, isRunner: Bool) -> Ecosystem.Command? {
        guard let fields = fields(node, isRunner ? .ecosystemRunner : .ecosystemGoal, path) else { return nil }
        let runner = fields.choice("runner", TestSummary.Runner.self)
        let kind = isRunner ? Goal.Kind.test : fields.choice("kind", Goal.Kind.self)
        guard let kind, let run = fields.text("run") else { return nil }
        if !isRunner, kind == .test {
            report(node.location, "a goal of the kind `test` is an entry of `runners`", expected: "who says how many tests ran")
            return nil
        }
        let rank = fields.value("rank", "a whole number from 0 to 99") { Int($0).flatMap { (0...99).contains($0) ? $0 : nil } }
        var command = Ecosystem.Command(kind: kind, run: run, runner: runner, rank: rank ?? min(99, 20 + number))
        command.name = fields.text("name")
        command.exit = fields.value("exit", "an exit code from 0 to 255") { Int32($0).flatMap { (0...255).contains($0) ? $0 : nil } } ?? 0
        command.pattern = pattern(fields, "pattern")?.source
        if let node = fields.node("packages"), let lists = self.fields(node, .ecosystemPackageLists, fields.path("packages")) {
            command.packages = packageLists(lists)
        }
        command.condition = condition(fields)
        command.each = selectors(fields, "each").first
        return command
    }
}
