/// Variables in scripts: nothing is replaced in a script, whose `${…}` are the shell's own. It gets the variables that it names in its
/// environment instead, so that a value can never be taken for code.
struct ScriptVariables {
    let condition: Condition

    func give(to recipe: inout Recipe) {
        let shared = recipe.env
        for (index, step) in recipe.steps.enumerated() {
            recipe.steps[index].env = values([step.run], "steps.\(index)", shared, recipe.locations).merging(step.env) { $1 }
        }
        for (index, service) in recipe.services.enumerated() {
            recipe.services[index].env = values([service.run, service.ready ?? ""], "services.\(index)", shared, recipe.locations).merging(service.env) { $1 }
        }
        for (index, check) in recipe.checks.enumerated() {
            recipe.checks[index].env = values([check.run], "checks.\(index)", shared, recipe.locations)
        }
    }

    private func values(_ scripts: [String], _ path: String, _ shared: [String: String], _ locations: [String: SourceLocation]) -> [String: String] {
        var out: [String: String] = [:]
        for variable in condition.variables where shared[variable.name] == nil {
            guard scripts.contains(where: { Self.names($0, variable.name) }) else { continue }
            out[variable.name] = condition.values[variable.name]
            if condition.values[variable.name] == nil, scripts.contains(where: { Self.needs($0, variable.name) }), let place = locations["\(path).run"] {
                condition.decoder.report(
                    condition.decoder.files.place(of: variable.name, in: place), "the variable `\(variable.name)`, which this script uses, has no value",
                    expected: "--set \(variable.name)=value, a `default` where it is declared, or ${\(variable.name):-text}")
            }
        }
        return out
    }

    /// `$NAME` or `${NAME…}` is in the script.
    private static func names(_ script: String, _ name: String) -> Bool { uses(script, name).contains { _ in true } }

    /// In a form that has no text of its own for want of a value.
    private static func needs(_ script: String, _ name: String) -> Bool { uses(script, name).contains { $0 != "-" && $0 != ":" && $0 != "+" } }

    /// What follows each use of the variable in a script.
    private static func uses(_ script: String, _ name: String) -> [Character] {
        var out: [Character] = []
        for mark in ["$\(name)", "${\(name)"] {
            for range in script.ranges(of: mark) {
                let next = range.upperBound < script.endIndex ? script[range.upperBound] : "\n"
                if next.isLetter || next.isNumber || next == "_" { continue }
                // After `$NAME` any letter is the script's own.
                out.append(mark.hasPrefix("${") ? next : "\n")
            }
        }
        return out
    }
}
