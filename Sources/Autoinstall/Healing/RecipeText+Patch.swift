import Recipes

/// What a patch means for a recipe's text.
extension RecipeText {
    /// What of the recipe a patch depends on beside its text.
    struct Surroundings {
        var recipe: Recipe
        /// The check that failed, by name; nil for a step.
        var check: String?
        /// The step that failed, by name.
        var step: String?
    }

    /// Carries out one patch.
    ///
    /// - Throws: ``Refusal`` when the recipe says it already, or cannot say it.
    mutating func apply(_ patch: RecipePatch, _ around: Surroundings, why: String) throws {
        switch patch {
        case .package(let manager, let name): try addPackage(name, manager, around.recipe, why: why)
        case .manifest(let manager, let key, let file): try addManifest(manager, key, file, around.recipe, why: why)
        case .variable(let name, let value): try setVariable(name, value, around.recipe, why: why)
        case .secretStandIn(let name, let value):
            if around.recipe.env[name] != nil { throw Refusal(description: "\(name) has a value already") }
            try addStandIn(name, for: "the secret \(name)", value: value, around.recipe, why: why)
        case .service(let name, let database, let user, let host):
            try addService(ServiceUse(name, database: database, user: user), host: host, around, why: why)
        case .step(let name, let run):
            let title = DraftMaker.title(name)
            if around.recipe.steps.contains(where: { $0.name == title }) { throw Refusal(description: "there is a step `\(title)` already") }
            try append(["steps"], .map([("name", .scalar(title)), ("run", .script(run))]), why: why, isFirst: true)
        case .base(let name):
            // Whoever named a base of his own meant it.
            guard around.recipe.base.text.hasPrefix("debian-"), around.recipe.base.text != name else {
                throw Refusal(description: "the base \(around.recipe.base.text) is not exchanged for \(name)")
            }
            try replace(["base"], .scalar(name), why: why)
        case .memory(let times): try grow("memory", around.recipe.resources.memory ?? 2 << 30, times, why: why)
        case .disk(let times): try grow("disk", around.recipe.resources.disk ?? 16 << 30, times, why: why)
        case .network:
            // What an owner closed is not for a program to open.
            throw Refusal(description: "the network is what the recipe says")
        case .goalPrefix(let script):
            try wrap(around, why: why) { run in run.contains(script) ? nil : script + "\n" + run }
        case .goalUser(let name):
            try wrap(around, why: why) { run in run.contains("runuser -u \(name)") ? nil : Self.asUser(name, run) }
        case .checkout(let what): throw Refusal(description: "a recipe's workspace is cloned as it is: \(what.rawValue) are its owner's")
        }
    }

    /// What else a manager's packages need of a Debian base.
    private static let needs = [
        "pip": ["python3", "python3-venv"], "npm": ["nodejs", "npm"], "gem": ["ruby", "ruby-dev"], "cargo": ["cargo"], "go": ["golang-go"],
    ]

    private mutating func addPackage(_ name: String, _ manager: String, _ recipe: Recipe, why: String) throws {
        func bare(_ text: String) -> String {
            let end = manager == "pip" ? text.firstIndex { "=<>!~[ ;".contains($0) } : text.dropFirst().firstIndex { "=@/:".contains($0) }
            let name = end.map { String(text[..<$0]) } ?? text
            return manager == "pip" ? ImportNames.normalised(name) : name
        }
        let known = recipe.packages[manager]?.packages ?? []
        if known.contains(name) || known.contains(where: { bare($0) == name || bare($0) == bare(name) && manager != "pip" }) {
            throw Refusal(description: "\(manager) installs \(name) already")
        }
        let path = ["packages", manager]
        var list = path
        if case .map(let entries)? = try node(path)?.value {
            if entries.contains(where: { $0.key == "project" }) {
                throw Refusal(description: "\(manager) installs a project here, and passes lists over")
            }
            list.append("packages")
        }
        if let old = known.first(where: { bare($0) == bare(name) }) {
            // The same package with what version it needs.
            guard let items = try node(list), case .list(let nodes) = items.value,
                let index = nodes.firstIndex(where: { if case .scalar(let text, _) = $0.value { text == old } else { false } })
            else { throw Refusal(description: "\(manager) installs \(old) already") }
            try replace(list + ["\(index)"], .scalar(name), why: why)
        } else {
            try append(list, .scalar(name), why: why)
        }
        guard recipe.base.text.hasPrefix("debian-"), manager != "apt", known.isEmpty else { return }
        for needed in Self.needs[manager] ?? [] {
            // What is there already is no matter.
            do { try addPackage(needed, "apt", recipe, why: "for \(manager)") } catch is Refusal {}
        }
    }

    private mutating func addManifest(_ manager: String, _ key: String, _ file: String, _ recipe: Recipe, why: String) throws {
        let path = ["packages", manager]
        if let request = recipe.packages[manager], key == "project" ? request.project != nil : request.values(key).contains(file) {
            throw Refusal(description: "\(manager) installs \(file) already")
        }
        if let node = try node(path), case .list = node.value { throw Refusal(description: "\(manager) has a list here, in which \(key) has no place") }
        let value: RecipeValue = key == "project" ? .scalar(file) : .list([.scalar(file)])
        if try node(path + [key]) != nil, key != "project" { try append(path + [key], .scalar(file), why: why) } else { try set(path, key, value, why: why) }
    }

    private mutating func setVariable(_ name: String, _ value: String, _ recipe: Recipe, why: String) throws {
        guard Quantities.isVariable(name) else { throw Refusal(description: "`\(name)` is no variable's name") }
        guard let old = recipe.env[name] else { return try set(["env"], name, .scalar(value), why: why) }
        if old == value { throw Refusal(description: "\(name) is \(value) already") }
        // Paths are lists: what is there stays.
        let isPath = name.hasSuffix("PATH") && name != "PATH" && !old.isEmpty
        if isPath, old.split(separator: ":").contains(Substring(value)) { throw Refusal(description: "\(name) has \(value) already") }
        try replace(["env", name], .scalar(isPath ? "\(old):\(value)" : value), why: why)
    }

    private mutating func addService(_ use: ServiceUse, host: String?, _ around: Surroundings, why: String) throws {
        guard let service = ServiceTable.known[use.name], !service.isAbsent else { throw Refusal(description: "nobody knows a local \(use.name)") }
        let made = service.draft(use)
        var hasChanged = false
        let known = around.recipe.services.firstIndex { $0.name == made.name }
        if let known {
            // Another database or role of a service that is there: what makes it ready makes them too.
            if let ready = made.ready, let old = around.recipe.services[known].ready, !old.contains(ready.split(separator: "\n").last ?? "") {
                let more = ready.split(separator: "\n").map(String.init).filter { !old.contains($0) }
                try replace(["services", "\(known)", "ready"], .script(([old.trimmingSpaces] + more).joined(separator: "\n")), why: why)
                hasChanged = true
            }
        } else {
            var entries: [(String, RecipeValue)] = [("name", .scalar(made.name)), ("run", .script(made.run))]
            if let ready = made.ready { entries.append(("ready", .script(ready))) }
            if let timeout = made.timeout { entries.append(("timeout", .scalar(timeout))) }
            try append(["services"], .map(entries), why: why)
            for package in service.packages {
                // One that is there already is as good.
                do { try addPackage(package, "apt", around.recipe, why: "for \(service.title)") } catch is Refusal {}
            }
            for (name, value) in service.env.sorted(by: { $0.key < $1.key }) where around.recipe.env[name] == nil {
                try setVariable(name, name == "PGUSER" ? use.user ?? value : value, around.recipe, why: "for \(service.title)")
            }
            let what = host.map { $0 == "localhost" ? service.title : "\(service.title) at \($0)" } ?? service.title
            try addStandIn(made.name, for: what, value: nil, around.recipe, why: why)
            hasChanged = true
        }
        if let host, host != "localhost", host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }) {
            try wrap(around, why: why) { run in
                run.contains("127.0.0.1 \(host)") ? nil : "grep -q ' \(host)$' /etc/hosts || echo '127.0.0.1 \(host)' >> /etc/hosts\n" + run
            }
            hasChanged = true
        }
        if !hasChanged { throw Refusal(description: "\(service.title) is there already") }
    }

    /// Says that something is not the real thing, and of what it takes the place.
    private mutating func addStandIn(_ name: String, for purpose: String, value: String?, _ recipe: Recipe, why: String) throws {
        if recipe.standIns.contains(where: { $0.name == name }) { throw Refusal(description: "\(name) stands in already") }
        let entries: [(String, RecipeValue)] = [("name", .scalar(name)), ("for", .scalar(Evidence.shown(purpose))), ("reason", .scalar(Evidence.shown(why)))]
        try append(["stand_ins"], .map(entries + (value.map { [("value", .scalar($0))] } ?? [])), why: "")
    }

    private mutating func grow(_ key: String, _ bytes: Int64, _ times: Int, why: String) throws {
        let megabytes = bytes / (1 << 20) * Int64(times)
        guard times > 1, megabytes <= 64 << 10 else { throw Refusal(description: "\(key) is large enough") }
        let value = RecipeValue.scalar(megabytes % 1024 == 0 ? "\(megabytes / 1024)GiB" : "\(megabytes)MiB")
        if try node(["resources", key]) != nil { try replace(["resources", key], value, why: why) } else { try set(["resources"], key, value, why: why) }
    }

    /// Changes what the goal, or the step, that failed runs.
    mutating func wrap(_ around: Surroundings, why: String, _ change: (String) -> String?) throws {
        let section = around.check == nil ? "steps" : "checks"
        let runs = around.check == nil ? around.recipe.steps.map { ($0.name, $0.run) } : around.recipe.checks.map { ($0.name, $0.run) }
        guard let index = runs.firstIndex(where: { $0.0 == around.check ?? around.step }) else { throw Refusal(description: "there is no such check or step") }
        try setCommand([section, "\(index)", "run"], runs[index].1, change(runs[index].1), why)
    }

    private mutating func setCommand(_ path: [String], _ old: String, _ new: String?, _ why: String) throws {
        guard let new, new != old else { throw Refusal(description: "\(path.joined(separator: ".")) says so already") }
        guard case .scalar(let text, _)? = try node(path)?.value, text == old else {
            throw Refusal(description: "\(path.joined(separator: ".")) is composed of other files or variables")
        }
        try replace(path, .script(new), why: why)
    }

    /// A command as a user who owns the workspace.
    private static func asUser(_ name: String, _ run: String) -> String {
        "id \(name) >/dev/null 2>&1 || useradd --create-home \(name)\nchown -R \(name) .\nrunuser -u \(name) -- env HOME=/home/\(name) /bin/sh -e -c \(ShellQuote.word(run))"
    }
}
