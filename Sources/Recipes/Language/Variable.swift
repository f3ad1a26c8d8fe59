/// A variable of a recipe, as `variables:` declares it.
struct Variable {
    enum Kind: String, CaseIterable { case text, number, `switch`, choice }

    let name: String
    var kind = Kind.text
    var choices: [String] = []
    var initial: String?
    let location: SourceLocation

    /// What its value may be, for a diagnostic.
    var allowed: String {
        switch kind {
        case .text: "text"
        case .number: "a number"
        case .switch: "true or false"
        case .choice: "one of: \(choices.joined(separator: ", "))"
        }
    }

    func accepts(_ text: String) -> Bool {
        switch kind {
        case .text: !text.unicodeScalars.contains("\0")
        case .number: text.wholeMatch(of: /-?[0-9]+(\.[0-9]+)?/) != nil
        case .switch: text == "true" || text == "false"
        case .choice: choices.contains(text)
        }
    }

    func nearest(_ text: String) -> String? { Spelling.nearest(to: text, among: kind == .choice ? choices : kind == .switch ? ["true", "false"] : []) }
}

extension RecipeDecoder {
    /// Names that are not free for variables: what `when` knows by itself, and the recipe's own keys, which `--set` means.
    static let reservedVariables = Set(["arch", "not"] + RecipeSchema.recipe.keys.map(\.name))

    /// The section `variables`; a declaration with a problem keeps its name, so that its uses are not told too.
    func variables(_ node: SourceNode) -> [Variable] {
        noteLocation("variables", node.location)
        guard case .map(let entries) = node.value else {
            wrongType(node, "variables", expected: "a mapping of names to { type, default, description }, or to a default")
            return []
        }
        var out: [Variable] = []
        for entry in entries {
            if entry.isRepeated {
                report(entry.location, "`\(entry.key)` stands twice in `variables`", expected: "each name once")
            } else if checkName(entry, "a variable") {
                out.append(variable(entry))
            }
        }
        return out
    }

    func checkName(_ entry: SourceNode.Entry, _ noun: String) -> Bool {
        if Quantities.isVariable(entry.key), !Self.reservedVariables.contains(entry.key) { return true }
        let isReserved = Self.reservedVariables.contains(entry.key)
        report(
            entry.location, "`\(entry.key)` cannot be the name of \(noun)\(isReserved ? ": it has a meaning of its own" : "")",
            expected: "letters, digits and `_`, not beginning with a digit; no key of a recipe")
        return false
    }

    private func variable(_ entry: SourceNode.Entry) -> Variable {
        let path = "variables.\(entry.key)"
        var variable = Variable(name: entry.key, location: entry.location)
        defer { noteLocation(path, entry.location) }
        if case .scalar(let text, let plain) = entry.value.value {
            if plain, entry.value.isNull {
                wrongType(entry.value, path, expected: "a default, or { type, default, description }")
            }
            literal(entry.value)
            variable.initial = text
            return variable
        }
        guard let fields = fields(entry.value, .variable, path) else { return variable }
        _ = fields.text("description")
        let hasChoices = fields.node("choices") != nil
        variable.kind = fields.choice("type", Variable.Kind.self) ?? (hasChoices ? .choice : .text)
        variable.choices = fields.list("choices").compactMap { text($0.node, $0.path, expected: "a value") }
        unique(variable.choices, "\(path).choices", "choice")
        if hasChoices, variable.kind != .choice, let node = fields.node("choices") {
            report(node.location, "`\(path).choices` is for the type choice, and this is \(variable.kind.rawValue)", expected: "type: choice, or no choices")
        }
        if variable.kind == .choice, !hasChoices { report(entry.value.location, "a choice needs `choices`", expected: "choices: a list of values") }
        guard let node = fields.node("default") else { return variable }
        guard let text = node.text, !node.isNull else {
            wrongType(node, "\(path).default", expected: variable.allowed)
            return variable
        }
        literal(node)
        noteLocation("\(path).default", node.location)
        if !variable.accepts(text) {
            report(node.location, "`\(path).default` is \(node.found)", expected: variable.allowed, nearest: variable.nearest(text))
        }
        variable.initial = text
        return variable
    }

    /// Tells a variable in a value that is taken as it is written.
    func literal(_ node: SourceNode) {
        guard let text = node.text, let match = text.firstMatch(of: /\$\{[A-Za-z_][A-Za-z0-9_]*/) else { return }
        report(files.place(of: String(match.0), in: node.location), "variables are not replaced in the values of variables", expected: "a value")
    }
}
