import Foundation
import Recipes

/// One change that a model may propose: a mapping with its `kind` and what that kind needs, and nothing else.
enum ModelPatch {
    struct Refusal: Error, CustomStringConvertible { let description: String }

    /// The keys of each kind; those with a question mark may be left out.
    static let kinds: [(kind: String, keys: [String])] = [
        ("package", ["manager", "name"]), ("variable", ["name", "value"]), ("step", ["name", "run"]), ("service", ["name", "database?", "user?"]),
        ("base", ["name"]), ("memory", ["times"]), ("disk", ["times"]), ("user", ["name"]), ("stand_in", ["name"]),
    ]

    /// What a package of each manager is called: names and versions, never an address, a path or an option.
    private static func isPackage(_ name: String, of manager: String) -> Bool? {
        switch manager {
        case "apt": name.wholeMatch(of: /[a-z0-9][a-z0-9+.-]+/) != nil
        case "pip":
            name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9,._-]+\])?(?:[<>=!~]=?[A-Za-z0-9.*+!]+(?:,[<>=!~]=?[A-Za-z0-9.*+!]+)*)?/) != nil
        case "npm": name.wholeMatch(of: /(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*(?:@[0-9A-Za-z.^~-]+)?/) != nil
        case "gem", "cargo": name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_-]*(?:@[0-9A-Za-z.-]+)?/) != nil
        case "go": name.wholeMatch(of: /[a-z0-9.-]+\.[a-z]+(?:\/[A-Za-z0-9][A-Za-z0-9._~-]*)+(?:@v?[0-9A-Za-z.+-]+)?/) != nil
        default: nil
        }
    }

    static func read(_ value: Any) throws -> RecipePatch {
        guard let map = value as? [String: Any], let kind = map["kind"] as? String, let known = kinds.first(where: { $0.kind == kind }) else {
            throw Refusal(description: "a patch is a mapping whose `kind` is one of \(kinds.map(\.kind).joined(separator: ", "))")
        }
        let all = Set(known.keys.map { $0.replacing("?", with: "") } + ["kind"])
        let needed = Set(known.keys.filter { !$0.hasSuffix("?") } + ["kind"])
        guard needed.isSubset(of: map.keys), Set(map.keys).isSubset(of: all) else {
            throw Refusal(description: "a patch of kind \(kind) has \(known.keys.joined(separator: ", ")), and nothing else")
        }
        func text(_ key: String, most: Int = 200) throws -> String {
            guard let text = map[key] as? String, !text.isEmpty, text.utf8.count <= most else {
                throw Refusal(description: "`\(key)` of a \(kind) must be a text of 1 to \(most) bytes")
            }
            return text
        }
        func refuse(_ why: String) -> Refusal { Refusal(description: "the \(kind) \(Evidence.shown((map["name"] as? String) ?? "")) is refused: \(why)") }
        switch kind {
        case "package":
            let (manager, name) = (try text("manager"), try text("name"))
            guard let isPackage = isPackage(name, of: manager) else { throw refuse("there is no manager \(Evidence.shown(manager)) for it") }
            if !isPackage { throw refuse("that is no name of a package of \(manager), with a version or without") }
            return .package(manager: manager, name: name)
        case "variable": return try variable(try text("name"), try text("value"), refuse)
        case "step":
            let (name, run) = (try text("name"), try text("run", most: 2000))
            guard Quantities.isTitle(name) else { throw refuse("its name must be letters, digits, spaces and . _ + -") }
            if let problem = problem(inScript: run) { throw refuse(problem) }
            return .step(name: name, run: run)
        case "service":
            let name = try text("name")
            guard let service = ServiceTable.known[name], !service.isAbsent else { throw refuse("no local one can be had") }
            let (database, user) = (try map["database"].map { _ in try text("database") }, try map["user"].map { _ in try text("user") })
            guard [database, user].allSatisfy({ $0.map { $0.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_-]{0,62}/) != nil } ?? true }) else {
                throw refuse("databases and users are called by letters, digits, _ and -")
            }
            return .service(name: service.name, database: database, user: user, host: nil)
        case "base":
            let name = try text("name")
            guard name.wholeMatch(of: /debian-[a-z]+/) != nil else { throw refuse("only a Debian suite can be proposed, such as debian-bullseye") }
            return .base(name)
        case "user":
            let name = try text("name")
            guard name.wholeMatch(of: /[a-z_][a-z0-9_-]{0,31}/) != nil, name != "root" else { throw refuse("that is no name of a user without rights") }
            return .goalUser(name)
        case "stand_in":
            let name = try text("name")
            guard Quantities.isVariable(name), !isReserved(name) else { throw refuse("that is no variable that a stand-in may have") }
            // The value is ours: clearly no secret.
            return .secretStandIn(name: name, value: RemedyPlanner.placeholder)
        default:
            guard let times = map["times"] as? Int, [2, 4].contains(times) else { throw refuse("`times` is 2 or 4") }
            return kind == "memory" ? .memory(times: times) : .disk(times: times)
        }
    }

    private static func variable(_ name: String, _ value: String, _ refuse: (String) -> Refusal) throws -> RecipePatch {
        guard Quantities.isVariable(name) else { throw refuse("that is no name of a variable") }
        if isReserved(name) { throw refuse("it would change what is run, from where packages come, or which tests count") }
        if value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) { throw refuse("its value has a control character") }
        return .variable(name: name, value: value)
    }

    /// Variables that change what runs, where packages come from, who hears what is sent, or which tests are looked at.
    private static func isReserved(_ name: String) -> Bool {
        let name = name.uppercased()
        let whole = [
            "PATH", "ENV", "BASH_ENV", "SHELLOPTS", "LD_PRELOAD", "LD_AUDIT", "PYTEST_ADDOPTS", "PYTHONSTARTUP", "NODE_OPTIONS", "RUBYOPT", "PERL5OPT",
        ]
        let starts = ["TERRINE_", "PIP_", "UV_", "NPM_CONFIG_", "CARGO_REGISTRIES", "GOPROXY", "GOSUMDB", "GONOSUM", "SSL_CERT", "APT_"]
        let ends = ["_PROXY", "_INDEX_URL", "_CA_BUNDLE", "_CERT"]
        return whole.contains(name) || starts.contains(where: name.hasPrefix) || ends.contains(where: name.hasSuffix)
    }

    /// Why a script may not be a step; nil when it may. It runs in a machine whatever it says: this is for the person who is to review it.
    private static func problem(inScript script: String) -> String? {
        if script.unicodeScalars.contains(where: { ($0.value < 0x20 && $0 != "\n" && $0 != "\t") || $0.value == 0x7F }) { return "it has a control character" }
        if script.contains("/dev/terrine") { return "it looks at secrets or caches of other steps" }
        if script.contains(/(^|[^A-Za-z0-9_-])(curl|wget|nc|ncat|socat|ssh|scp|rsync|ftp)($|[^A-Za-z0-9_-])/) {
            return "what it downloads has no hash; packages come from a manager"
        }
        if script.contains(/(^|[^A-Za-z0-9_-])(base64|eval)($|[^A-Za-z0-9_-])/) { return "it hides what it runs" }
        return nil
    }
}
