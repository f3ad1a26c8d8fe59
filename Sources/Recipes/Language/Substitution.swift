/// Replaces `${VAR}` and `${VAR:-text}` in values, `$$` by `$`, and takes away what `when` rules out.
///
/// Scripts (`run`, `ready`) are the shell's: nothing is replaced in them. Keys are never replaced.
struct Substitution {
    let condition: Condition
    /// Whether entries whose `when` does not hold stay, to be read for their own sake.
    let keepsAll: Bool

    private var decoder: RecipeDecoder { condition.decoder }

    /// Something was left out.
    final class Outcome { var hasLeftOut = false }
    let outcome = Outcome()

    func applied(_ node: SourceNode, _ path: String = "") -> SourceNode {
        switch node.value {
        case .scalar(let text, let plain):
            if Self.isLiteral(path) || !text.contains("$") { return node }
            guard let new = replaced(text, at: node.location) else {
                decoder.mute(node.location)
                return node
            }
            // What was put in is text, even when it is empty or reads like another word for nothing.
            let value = SourceNode(value: .scalar(new, plain: plain), location: node.location)
            return plain && value.isNull ? SourceNode(value: .scalar(new, plain: false), location: node.location) : value
        case .list(let items):
            let kept = items.enumerated().flatMap { entry($0.element, "\(path).\($0.offset)", of: path) }
            return SourceNode(value: .list(kept), location: node.location)
        case .map(let entries):
            var out: [SourceNode.Entry] = []
            for var entry in entries {
                let inside = path.isEmpty ? entry.key : "\(path).\(entry.key)"
                if path == "packages", entry.value.entry("when") != nil {
                    guard let value = inForce(entry.value, inside) else { continue }
                    entry.value = value
                }
                entry.value = applied(entry.value, inside)
                out.append(entry)
            }
            return SourceNode(value: .map(out), location: node.location)
        }
    }

    /// Values that are taken as they are written.
    private static func isLiteral(_ path: String) -> Bool {
        path == "version" || path.wholeMatch(of: /(steps|services|checks)\.[0-9]+\.(run|ready)/) != nil
    }

    private static let conditional: Set = ["steps", "files", "services", "checks", "repositories"]

    /// An entry of a list: itself, nothing, or what it stands for.
    private func entry(_ node: SourceNode, _ path: String, of list: String) -> [SourceNode] {
        let isPackage = list.hasPrefix("packages.")
        guard isPackage || Self.conditional.contains(list), node.entry("when") != nil else { return [applied(node, path)] }
        guard let node = inForce(node, path) else { return [] }
        // `{ name: gdb, when: … }` among packages stands for the name, or the names.
        guard isPackage, case .map(let entries) = node.value, entries.map(\.key) == ["name"] else { return [applied(node, path)] }
        if case .list(let names) = entries[0].value.value { return names.map { applied($0, path) } }
        return [applied(entries[0].value, path)]
    }

    /// The mapping without its `when`; nil when that does not hold.
    private func inForce(_ node: SourceNode, _ path: String) -> SourceNode? {
        guard case .map(let entries) = node.value, let when = node.entry("when") else { return node }
        if !condition.holds(when, "\(path).when"), !keepsAll {
            outcome.hasLeftOut = true
            return nil
        }
        return SourceNode(value: .map(entries.filter { $0.key != "when" || $0.isRepeated }), location: node.location)
    }

    // MARK: Text

    /// nil when a variable in it has a problem, which is told.
    private func replaced(_ text: String, at location: SourceLocation) -> String? {
        var out = ""
        var rest = text[...]
        var isWhole = true
        while let dollar = rest.firstIndex(of: "$") {
            out += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                out += "$"
                rest.removeFirst()
            } else if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}") else {
                    report("${", location, "`${` is never closed", expected: "${VARIABLE}, ${VARIABLE:-text}, or $$ for a dollar sign")
                    return nil
                }
                let inside = rest[rest.index(after: rest.startIndex)..<end]
                rest = rest[rest.index(after: end)...]
                if let value = value(of: inside, location) { out += value } else { isWhole = false }
            } else {
                out += "$"
            }
        }
        return isWhole ? out + rest : nil
    }

    private func value(of inside: Substring, _ location: SourceLocation) -> String? {
        let name: Substring
        var fallback: Substring?
        if let mark = inside.firstRange(of: ":-") {
            (name, fallback) = (inside[..<mark.lowerBound], inside[mark.upperBound...])
        } else {
            name = inside
        }
        let written = "${\(name)"
        if name == "arch" { return condition.architecture }
        guard Quantities.isVariable(String(name)) else {
            report(written, location, "`${\(inside)}` names no variable", expected: "${VARIABLE}, ${VARIABLE:-text}, or $$ for a dollar sign")
            return nil
        }
        guard condition.variables.contains(where: { $0.name == name }) else {
            let known = ["arch"] + condition.variables.map(\.name)
            report(
                written, location, "the variable `\(name)` is not declared", expected: "one of: \(known.joined(separator: ", ")); `variables:` declares more",
                nearest: Spelling.nearest(to: String(name), among: known))
            return nil
        }
        if let value = condition.values[String(name)], !value.isEmpty || fallback == nil { return value }
        if let fallback { return String(fallback) }
        report(
            written, location, "the variable `\(name)` has no value", expected: "--set \(name)=value, a `default` where it is declared, or ${\(name):-text}")
        return nil
    }

    private func report(_ written: String, _ location: SourceLocation, _ message: String, expected: String, nearest: String? = nil) {
        decoder.report(decoder.files.place(of: written, in: location), message, expected: expected, nearest: nearest)
    }
}
