/// Steps, services and checks: the sections that run something.
extension RecipeDecoder {
    func step(_ node: SourceNode, _ path: String) -> Recipe.Step? {
        guard let fields = fields(node, .step, path) else { return nil }
        let name = fields.title("name")
        let run = fields.text("run")
        var step = Recipe.Step(name: name ?? "", run: run ?? "")
        if fields.node("inputs") != nil {
            let globs = fields.list("inputs").compactMap { item in glob(item.node, item.path) }
            unique(globs, "\(path).inputs", "input")
            step.inputs = globs
        }
        if fields.node("repositories") != nil {
            step.repositories = fields.list("repositories").compactMap { text($0.node, $0.path, expected: "the path of an entry of `repositories`") }
        }
        for item in fields.list("caches") {
            guard let cache = cache(item.node, item.path) else { continue }
            if step.caches.contains(where: { $0.name == cache.name }) {
                report(
                    item.node.location, "the cache `\(cache.name)` stands twice in this step",
                    expected: "each cache once")
            }
            step.caches.append(cache)
        }
        step.secrets = fields.list("secrets").compactMap { stepSecret($0.node, $0.path) }
        step.env = fields.environment("env")
        step.user = fields.user("user")
        step.timeout = fields.duration("timeout")
        step.network = mode(fields, "network")
        return name == nil || run == nil ? nil : step
    }

    private func glob(_ node: SourceNode, _ path: String) -> String? {
        let expected = "a file, folder or glob of the workspace, such as Makefile, \"src/**\" or \"!src/gen/**\""
        guard let text = text(node, path, expected: expected) else { return nil }
        let plain = text.hasPrefix("!") ? String(text.dropFirst()) : text
        // `\` escapes a glob's letters, so it is no path problem here.
        if let problem = Quantities.hostPathProblem(plain.replacing("\\", with: "")) {
            report(node.location, "the input `\(text)` cannot be used: \(problem)", expected: expected)
            return nil
        }
        if plain.split(separator: "/").contains("..") {
            report(node.location, "the input `\(text)` leads out of the workspace", expected: expected)
            return nil
        }
        if let problem = GlobPattern.problem(plain) {
            report(node.location, "the input `\(text)` cannot be used: \(problem)", expected: expected)
            return nil
        }
        return text
    }

    private func cache(_ node: SourceNode, _ path: String) -> Recipe.Cache? {
        let expected = "a cache's name such as ccache, or { name, shared }"
        if case .scalar = node.value {
            let name = value(node, path, expected: expected) { Quantities.isName($0) ? $0 : nil }
            return name.map { Recipe.Cache(name: $0, isShared: false) }
        }
        guard let fields = fields(node, .cache, path) else { return nil }
        let shared = fields.flag("shared") ?? false
        let concurrent = fields.flag("concurrent")
        return fields.name("name").map { Recipe.Cache(name: $0, isShared: shared, isConcurrent: concurrent) }
    }

    private func stepSecret(_ node: SourceNode, _ path: String) -> Recipe.StepSecret? {
        let expected = "the name of a secret, or { name, env }"
        if case .scalar = node.value {
            return value(node, path, expected: expected) { Quantities.isVariable($0) ? $0 : nil }.map { Recipe.StepSecret(name: $0) }
        }
        guard let fields = fields(node, .stepSecret, path) else { return nil }
        let name = fields.value("name", "a variable's name such as API_TOKEN") { Quantities.isVariable($0) ? $0 : nil }
        let variable = fields.value("env", "a variable's name such as API_TOKEN") { Quantities.isVariable($0) ? $0 : nil }
        return name.map { Recipe.StepSecret(name: $0, variable: variable) }
    }

    func service(_ node: SourceNode, _ path: String) -> Recipe.Service {
        guard let fields = fields(node, .service, path) else { return Recipe.Service(name: "", run: "") }
        let name = fields.name("name")
        let run = fields.text("run")
        var service = Recipe.Service(name: name ?? "", run: run ?? "", ready: fields.text("ready"))
        if let timeout = fields.duration("timeout") { service.timeout = timeout }
        if fields.node("timeout") != nil, fields.node("ready") == nil {
            report(
                fields.node("timeout")?.location ?? node.location,
                "`\(path).timeout` bounds `ready`, and there is none", expected: "ready: a command that exits 0")
        }
        if let restart = fields.choice("restart", Recipe.Service.Restart.self) { service.restart = restart }
        service.user = fields.user("user")
        service.env = fields.environment("env")
        service.ports = ports(fields)
        return service
    }

    func check(_ node: SourceNode, _ path: String, number: Int) -> Recipe.Check? {
        guard let fields = fields(node, .check, path) else { return nil }
        let run = fields.text("run")
        var check = Recipe.Check(name: fields.title("name") ?? "check \(number)", run: run ?? "")
        if let node = fields.node("expect"), let expect = self.fields(node, .expect, "\(path).expect") {
            check.exit =
                expect.value("exit", "an exit code from 0 to 255") {
                    Int32($0).flatMap { (0...255).contains($0) ? $0 : nil }
                } ?? 0
            if let node = expect.node("output"), let output = self.fields(node, .output, "\(path).expect.output"),
                let contains = output.node("contains")
            {
                check.outputContains = texts(
                    contains, "\(path).expect.output.contains", expected: "text, or a list of texts")
            }
        }
        check.user = fields.user("user")
        check.timeout = fields.duration("timeout")
        return run == nil ? nil : check
    }

    func ports(_ fields: Fields) -> [Recipe.Port] {
        fields.list("ports").map { item in
            let port: Recipe.Port? = value(
                item.node, item.path, expected: "\"HOST:MACHINE\" or one number, each from 1 to 65535"
            ) { text in
                let numbers = text.split(separator: ":", omittingEmptySubsequences: false)
                    .map { $0.allSatisfy { $0.isASCII && $0.isNumber } ? UInt16($0) ?? 0 : 0 }
                guard (1...2).contains(numbers.count), !numbers.contains(0) else { return nil }
                return Recipe.Port(host: numbers[0], machine: numbers[numbers.count - 1])
            }
            return port ?? Recipe.Port(host: 0, machine: 0)
        }
    }
}
