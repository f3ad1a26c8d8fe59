import Recipes

/// A recipe on its way: each entry with the places that ask for it.
///
/// Sources that contradict each other are settled in the order of ``Finding/Origin``: what describes an environment, then manifests, then guesses.
public struct RecipeDraft: Sendable {
    public struct Entry<Value: Hashable & Sendable>: Hashable, Sendable {
        public var value: Value
        public var evidence: [Evidence]
        /// What asks for it, where the evidence alone does not say: `pkg-config libpq`.
        public var why: String?

        public init(_ value: Value, _ evidence: [Evidence], why: String? = nil) { (self.value, self.evidence, self.why) = (value, evidence, why) }
    }

    /// A key of a manager's mapping, such as pip's `requirements`.
    public struct ManagerKey: Hashable, Sendable {
        public var manager: String
        public var key: String
    }

    public struct Service: Hashable, Sendable {
        public var name: String
        public var run: String
        public var ready: String?
        public var timeout: String?
    }

    public struct Variable: Hashable, Sendable {
        public var name: String
        public var value: String
    }

    /// What takes the place of something that cannot be had; as `stand_ins` of a recipe says it.
    public struct StandIn: Hashable, Sendable {
        /// A service or a step of this draft; with a value, a variable.
        public var name: String
        /// What cannot be had.
        public var purpose: String
        public var reason: String
        public var value: String?

        public init(name: String, purpose: String, reason: String, value: String? = nil) {
            (self.name, self.value) = (name, value)
            (self.purpose, self.reason) = (Evidence.shown(purpose), Evidence.shown(reason))
        }
    }

    public struct Port: Hashable, Sendable {
        public var host: Int
        public var machine: Int
    }

    public var name: String
    public var base: Entry<String>
    public var resources: Entry<[String]>?
    /// By manager, each list in the order of its names.
    public var packages: [String: [Entry<String>]] = [:]
    public var packageFiles: [ManagerKey: [Entry<String>]] = [:]
    public var projects: [String: Entry<String>] = [:]
    public var workspace: Entry<String>?
    public var env: [Entry<Variable>] = []
    public var steps: [Entry<StepDraft>] = []
    public var services: [Entry<Service>] = []
    /// The best goals of each kind.
    public var checks: [Entry<Goal>] = []
    public var ports: [Entry<Port>] = []
    public var secrets: [Entry<String>] = []
    public var standIns: [Entry<StandIn>] = []
    public var notes: [Note] = []

    public init(name: String, base: String = "debian-bookworm") {
        self.name = Self.recipeName(name)
        self.base = Entry(base, [])
    }

    /// Adds a package, or the evidence to one that is there.
    public mutating func add(_ package: String, manager: String = "apt", _ evidence: Evidence, why: String? = nil) {
        var list = packages[manager] ?? []
        if let index = list.firstIndex(where: { Self.same($0.value, package, manager) }) {
            if !list[index].evidence.contains(evidence) { list[index].evidence.append(evidence) }
            // The one that says a version says more.
            if package.count > list[index].value.count { list[index].value = package }
        } else {
            list.append(Entry(package, [evidence], why: why))
            list.sort { $0.value < $1.value }
        }
        packages[manager] = list
    }

    /// Whether two entries name the same package; versions aside.
    private static func same(_ a: String, _ b: String, _ manager: String) -> Bool {
        if manager == "apt" || a == b { return a == b }
        func bare(_ text: String) -> String {
            let end = manager == "pip" ? text.firstIndex { "=<>!~[ ;".contains($0) } : text.dropFirst().firstIndex(of: "@")
            return (end.map { String(text[..<$0]) } ?? text).lowercased().replacing("_", with: "-")
        }
        return bare(a) == bare(b)
    }

    /// Small letters, digits, `.`, `_` and `-`.
    static func recipeName(_ text: String) -> String {
        var out = ""
        for character in text.lowercased() {
            if character.isASCII, character.isLetter || character.isNumber {
                out.append(character)
            } else if !out.isEmpty, !out.hasSuffix("-") {
                out.append(character == "." || character == "_" ? character : "-")
            }
        }
        while let last = out.last, !last.isLetter, !last.isNumber { out.removeLast() }
        return out.isEmpty ? "repository" : String(out.prefix(60))
    }
}
