/// How two trees become one.
///
/// | | `include` | `extends` |
/// |---|---|---|
/// | mappings | merged, key by key | merged, key by key |
/// | lists | the fragment's entries first, then the recipe's | the parent's entries first; one of the same name takes its place |
/// | other values | must be equal | the child's counts |
struct TreeMerge {
    enum Rule { case include, extend }

    let decoder: RecipeDecoder
    let rule: Rule

    /// What names an entry of a list, so that a child's can take its parent's place.
    static let identities = [
        "steps": "name", "services": "name", "checks": "name", "secrets": "name", "stand_ins": "name", "files": "to", "repositories": "path",
    ]

    /// - Parameters:
    ///   - below: what comes first: a fragment, or the parent.
    ///   - above: what is put over it.
    func merged(_ below: SourceNode, _ above: SourceNode, _ path: String) -> SourceNode {
        switch (below.value, above.value) {
        case (.map, .map) where rule == .extend && path == "matrix": return above
        case (.map(var entries), .map(let more)):
            for entry in more {
                if !entry.isRepeated, let index = entries.firstIndex(where: { $0.key == entry.key && !$0.isRepeated }) {
                    let value = merged(entries[index].value, entry.value, path.isEmpty ? entry.key : "\(path).\(entry.key)")
                    entries[index] = SourceNode.Entry(key: entry.key, location: entry.location, value: value)
                } else {
                    entries.append(entry)
                }
            }
            return SourceNode(value: .map(entries), location: above.location)
        case (.list(let items), .list(let more)):
            return SourceNode(value: .list(appended(items, more, path)), location: above.location)
        case (.scalar(let a, _), .scalar(let b, _)) where rule == .include && a == b: return above
        case (.list, .map), (.map, .list): return conflict(below, above, path, "the same kind of value in both")
        default:
            if rule == .extend { return above }
            return conflict(below, above, path, "one of the two, or `extends`, where the recipe's own value counts")
        }
    }

    private func appended(_ items: [SourceNode], _ more: [SourceNode], _ path: String) -> [SourceNode] {
        var out = items
        let texts = Set(items.compactMap(\.text))
        for item in more {
            // What both files list is wanted once.
            if let text = item.text, texts.contains(text) { continue }
            if rule == .extend, let key = Self.identities[path], let name = item.entry(key)?.text,
                let index = out[..<items.count].firstIndex(where: { $0.entry(key)?.text == name })
            {
                out[index] = item
            } else {
                out.append(item)
            }
        }
        return out
    }

    private func conflict(_ below: SourceNode, _ above: SourceNode, _ path: String, _ expected: String) -> SourceNode {
        decoder.report(
            above.location, "`\(path)` is \(above.found) here, and \(below.found) \(RecipeFiles.shown(below.location, from: above.location))",
            expected: expected)
        return above
    }
}

extension SourceNode {
    /// Of a single value.
    var text: String? {
        if case .scalar(let text, _) = value { return text }
        return nil
    }

    /// A mapping's value.
    func entry(_ key: String) -> SourceNode? {
        guard case .map(let entries) = value else { return nil }
        return entries.first { $0.key == key }?.value
    }
}
