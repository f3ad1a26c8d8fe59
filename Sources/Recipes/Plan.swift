/// One layer to be made: what runs, on what, and everything that its cache key is taken over.
public struct PlanStep: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case base, packages, files, repositories, run, workspace
    }

    /// A repository that the Builder clones cleanly to `path`: history and refs, no hooks, no credentials.
    public struct Clone: Hashable, Sendable {
        /// As in the recipe; for the workspace its folder on this host.
        public let url: String
        /// The folder on this host, when it is there.
        public let localPath: String?
        public let path: String
        public let ref: String
        public let commit: String
        /// Commits of history; nil: all.
        public var depth: Int?
        /// Contents of older files stay with the server.
        public var isPartial: Bool
        public var hasSubmodules: Bool
        public var hasLargeFiles: Bool

        public init(
            url: String, localPath: String?, path: String, ref: String, commit: String, depth: Int? = nil, isPartial: Bool = false,
            hasSubmodules: Bool = false, hasLargeFiles: Bool = false
        ) {
            (self.url, self.localPath, self.path, self.ref, self.commit) = (url, localPath, path, ref, commit)
            (self.depth, self.isPartial, self.hasSubmodules, self.hasLargeFiles) = (depth, isPartial, hasSubmodules, hasLargeFiles)
        }

        /// What counts of it in a key.
        var record: String {
            let options = [depth.map { "depth=\($0)" }, isPartial ? "partial" : nil, hasSubmodules ? nil : "no submodules", hasLargeFiles ? nil : "no lfs"]
            return ([url, ref, commit] + options.compactMap { $0 }).joined(separator: " ")
        }
    }

    /// Unique in the plan, such as `packages.apt` or `steps.compile`.
    public let id: String
    /// As people see it.
    public let name: String
    public let kind: Kind
    /// Everything of the step itself that counts in its key, by readable name.
    public internal(set) var parts: [String: String] = [:]
    /// Put in place before the script runs, by path.
    public internal(set) var inputs: [InputFile] = []
    public internal(set) var caches: [Recipe.Cache] = []
    /// Files in memory while it runs. Their names count, what they hold does not.
    public internal(set) var secrets: [Recipe.StepSecret] = []
    /// In force while it runs.
    public internal(set) var environment: [String: String] = [:]
    public internal(set) var user = "root"
    public internal(set) var timeout: Duration?
    public internal(set) var network = Recipe.NetworkMode.none
    public internal(set) var workingFolder = "/"
    /// For `/bin/sh -e -c`; nil when the step only puts files in place.
    public internal(set) var script: String?
    /// For the kind `packages`.
    public internal(set) var packages: PackageWork?
    /// For the kind `repositories`, and the workspace's own `.git` for `workspace`.
    public internal(set) var clones: [Clone] = []

    init(_ id: String, _ name: String, _ kind: Kind) {
        self.id = id
        self.name = name
        self.kind = kind
    }

    /// What runs in the machine, if anything does.
    public var command: [String]? { script.map { ["/bin/sh", "-e", "-c", $0] } }

    /// ``parts`` as canonical JSON: sorted keys, one spelling.
    public var normalised: String { CanonicalJSON.object(parts) }

    /// Everything in the step's key by readable name: `run`, `env PGHOST`, `input src/a.c`, `parent`.
    public func record(parentLayers: [String], architecture: String) -> [String: String] {
        var record = parts
        record["format"] = String(Plan.formatVersion)
        record["kind"] = kind.rawValue
        record["architecture"] = architecture
        record["parent"] = parentLayers.joined(separator: " ")
        record["user"] = user
        for (name, value) in environment { record["env \(name)"] = value }
        for input in inputs { record["input \(input.path)"] = input.record }
        return record
    }
}

/// A recipe compiled into ordered steps, each with what its cache key is made of.
public struct Plan: Sendable {
    /// Part of every key: raised when what a step does changes in a way that its parts do not show.
    public static let formatVersion = 1
    /// Stands for the parent's layers while they are not built: no key matches it.
    public static let unbuiltParent = ["unbuilt"]

    public let recipe: Recipe
    public let workspace: Workspace
    /// base, packages.apt and other managers in their order, files, repositories, the recipe's steps, workspace: those that there are.
    public let steps: [PlanStep]
    /// What of the recipe's lock is in force.
    public var lock: LockUse?

    /// The same plan with another step in the place of one.
    public func replacing(_ index: Int, with step: PlanStep) -> Plan {
        var steps = steps
        steps[index] = step
        return Plan(recipe: recipe, workspace: workspace, steps: steps, lock: lock)
    }

    /// The cache key: SHA-256 in hex over the step's record (format version, parent's layers, architecture, environment,
    /// user, normalised step, inputs' path, mode and digest).
    public func key(of step: PlanStep, parentLayers: [String], architecture: String) -> String {
        InputHashing.hex(
            of: CanonicalJSON.object(step.record(parentLayers: parentLayers, architecture: architecture)))
    }

    /// What ``key(of:parentLayers:architecture:)`` is taken over, by readable name.
    public func record(of step: PlanStep, parentLayers: [String], architecture: String) -> [String: String] {
        step.record(parentLayers: parentLayers, architecture: architecture)
    }

    /// Why a step is not cached: how what goes into it differs from the last time it ran.
    ///
    /// - Parameter old: the record of the last run; nil when there was none.
    public static func reason(old: [String: String]?, new: [String: String]) -> String {
        guard let old else { return "never built" }
        var reasons: [String] = []
        for name in Set(old.keys).union(new.keys).sorted() where name != "parent" && old[name] != new[name] {
            let shown = readable(name)
            if old[name] == nil {
                reasons.append("new \(shown)")
            } else if new[name] == nil {
                reasons.append("\(shown) is gone")
            } else {
                reasons.append("\(shown) changed")
            }
        }
        if reasons.isEmpty {
            return old["parent"] == new["parent"] ? "not in the cache any more" : "step before it ran anew"
        }
        let shown = reasons.prefix(3).joined(separator: ", ")
        return reasons.count > 3 ? "\(shown) and \(reasons.count - 3) more" : shown
    }

    private static func readable(_ name: String) -> String {
        switch name {
        case "format", "script", "resolve": "terrine's own way of doing this step"
        default: name
        }
    }
}
