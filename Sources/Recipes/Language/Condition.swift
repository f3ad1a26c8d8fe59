/// `when: { arch: amd64, SUITE: [bookworm, trixie], not: { DEBUG: true } }`: all of it must hold; a list means any of its values.
struct Condition {
    static let architectures = ["amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x"]

    let decoder: RecipeDecoder
    let variables: [Variable]
    let values: [String: String]
    /// Debian's word, such as `amd64`.
    let architecture: String

    /// Whether it holds. One with a problem is told and holds, so that what it is on is read too.
    func holds(_ node: SourceNode, _ path: String) -> Bool {
        guard case .map(let entries) = node.value, !entries.isEmpty else {
            decoder.report(
                node.location, "`\(path)` is \(entriesAreMissing(node) ? "empty" : node.found)",
                expected: "a mapping such as { arch: amd64 } or { \(variables.first?.name ?? "VARIABLE"): value }")
            return true
        }
        // All are read, so that all problems are told.
        return entries.map { holds($0, path) }.allSatisfy { $0 }
    }

    private func entriesAreMissing(_ node: SourceNode) -> Bool {
        if case .map = node.value { return true }
        return false
    }

    private func holds(_ entry: SourceNode.Entry, _ path: String) -> Bool {
        let key = "\(path).\(entry.key)"
        if entry.isRepeated {
            decoder.report(entry.location, "`\(entry.key)` stands twice in `\(path)`", expected: "each key once, with a list of values")
            return true
        }
        if entry.key == "not" { return isBroken { !holds(entry.value, key) } }
        if entry.key == "arch" {
            return matches(entry.value, key, architecture, "one of: \(Self.architectures.joined(separator: ", "))", Self.architectures.contains) {
                Spelling.nearest(to: $0, among: Self.architectures)
            }
        }
        guard let variable = variables.first(where: { $0.name == entry.key }) else {
            let known = ["arch", "not"] + variables.map(\.name)
            decoder.report(
                entry.location, "unknown key `\(entry.key)` in `\(path)`: no variable of this name is declared", expected: known.joined(separator: ", "),
                nearest: Spelling.nearest(to: entry.key, among: known))
            return true
        }
        return matches(entry.value, key, values[entry.key], variable.allowed, variable.accepts, variable.nearest)
    }

    /// True as well when `body` told a problem.
    private func isBroken(_ body: () -> Bool) -> Bool {
        let before = decoder.diagnostics.count
        let result = body()
        return result || decoder.diagnostics.count > before
    }

    private func matches(
        _ node: SourceNode, _ path: String, _ value: String?, _ expected: String, _ accepts: (String) -> Bool, _ nearest: (String) -> String?
    ) -> Bool {
        let items: [SourceNode]
        switch node.value {
        case .list(let list): items = list
        default: items = [node]
        }
        if items.isEmpty {
            decoder.report(node.location, "`\(path)` is empty, so this would never hold", expected: expected)
            return true
        }
        var isIn = false
        for item in items {
            guard let text = item.text, !item.isNull, accepts(text) else {
                decoder.report(item.location, "`\(path)` is \(item.found)", expected: expected, nearest: item.text.flatMap(nearest))
                isIn = true
                continue
            }
            if text == value { isIn = true }
        }
        return isIn
    }
}
