import ChunkStore
import Images
import Recipes

/// What goes into a step's cache key, and the key itself.
///
/// To the plan's own record comes what only the image below knows: the environment that it brings.
struct StepKey {
    /// By readable name; what `plan` compares to say why a step is not cached.
    let record: [String: String]
    /// In force while the step runs.
    let environment: [String: String]
    let key: String

    init(_ step: PlanStep, of plan: Plan, parentLayers: [String], baseEnvironment: [String: String]) {
        environment = Self.environment(step, plan, baseEnvironment)
        var record = plan.record(of: step, parentLayers: parentLayers, architecture: HostArchitecture.current)
        for (name, value) in environment { record["env \(name)"] = value }
        if step.kind == .workspace {
            // The last layer's image is the one that machines start from: it says how.
            for (name, value) in MachineDefaults(plan.recipe).record { record[name] = value }
        }
        self.record = record
        key = Self.hash(record)
    }

    /// The base's environment, and the recipe's on top. A base's own PATH stays, unless the recipe names one.
    private static func environment(_ step: PlanStep, _ plan: Plan, _ base: [String: String]) -> [String: String] {
        var values = base.merging(step.environment) { $1 }
        let isOwn = plan.recipe.env["PATH"] != nil || plan.recipe.steps.contains { "steps.\($0.name)" == step.id && $0.env["PATH"] != nil }
        if let path = base["PATH"], let stepPath = step.environment["PATH"], !isOwn, stepPath.hasSuffix(Recipe.systemPath) {
            values["PATH"] = stepPath.dropLast(Recipe.systemPath.count) + path
        }
        return values
    }

    /// SHA-256 in hex; names and values are told apart by their lengths.
    private static func hash(_ record: [String: String]) -> String {
        let names = record.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Digest.of(text: names.map { "\($0.utf8.count):\($0)\(record[$0]?.utf8.count ?? 0):\(record[$0] ?? "")" }.joined()).hex
    }
}

extension MachineDefaults {
    /// How a recipe wants its machines.
    init(_ recipe: Recipe) {
        self.init()
        user = recipe.user
        workingFolder = recipe.workspace.path
        cpus = recipe.resources.cpus
        memory = recipe.resources.memory
        disk = recipe.resources.disk
        network = recipe.network.run.rawValue
        ports = recipe.ports.map { Port(host: $0.host, machine: $0.machine) }
        self.recipe = recipe.name
        services = recipe.services.map { service in
            var out = Service(name: service.name, run: service.run)
            out.ready = service.ready
            out.timeoutSeconds = service.timeout / .seconds(1)
            out.restart = service.restart.rawValue
            out.user = service.user ?? recipe.user
            out.environment = service.env
            out.ports = service.ports.map { Port(host: $0.host, machine: $0.machine) }
            return out
        }
    }

    /// What of this counts in the last step's key, by readable name.
    var record: [String: String] {
        var record = [
            "recipe": recipe ?? "", "run network": network, "ports": ports.map { "\($0.host):\($0.machine)" }.joined(separator: " "),
            "resources": "\(cpus.map { String($0) } ?? "-") \(memory.map { String($0) } ?? "-") \(disk.map { String($0) } ?? "-")",
        ]
        for (index, service) in services.enumerated() {
            let fields: [String] = [
                String(index), service.run, service.ready ?? "", String(service.timeoutSeconds), service.restart, service.user ?? "",
                service.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\u{1}"),
                service.ports.map { "\($0.host):\($0.machine)" }.joined(separator: " "),
            ]
            record["service \(service.name)"] = fields.joined(separator: "\u{0}")
        }
        return record
    }
}
