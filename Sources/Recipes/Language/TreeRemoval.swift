/// `extends: { file: …, without: { packages.apt: [vim], steps: [lint], services: all } }`: what a child does not take from its parent.
struct TreeRemoval {
    let decoder: RecipeDecoder
    /// As it is shown.
    let parent: String

    func applied(_ node: SourceNode, to tree: SourceNode) -> SourceNode {
        let shape = "a mapping of keys to `all` or lists of names, such as { packages.apt: [vim], services: all }"
        guard case .map(let entries) = node.value else {
            decoder.wrongType(node, "extends.without", expected: shape)
            return tree
        }
        var tree = tree
        for entry in entries {
            if entry.isRepeated {
                decoder.report(entry.location, "`\(entry.key)` stands twice in `extends.without`", expected: "each key once")
                continue
            }
            let path = entry.key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            switch entry.value.value {
            case .scalar("all", _): tree = removing(path[...], nil, entry, tree)
            case .list(let items):
                for item in items {
                    if let name = decoder.text(item, "extends.without.\(entry.key)", expected: "a name, or a value") {
                        tree = removing(path[...], (name, item.location), entry, tree)
                    }
                }
            default: decoder.wrongType(entry.value, "extends.without.\(entry.key)", expected: "`all`, or a list of names")
            }
        }
        return tree
    }

    /// The tree less one key, or less one entry of the list or mapping that the key names.
    private func removing(
        _ path: ArraySlice<String>, _ name: (text: String, place: SourceLocation)?, _ entry: SourceNode.Entry, _ node: SourceNode
    ) -> SourceNode {
        guard let key = path.first else { return name.map { without($0, entry.key, node) } ?? node }
        guard case .map(var entries) = node.value, let index = entries.firstIndex(where: { $0.key == key }) else {
            var known: [String] = []
            if case .map(let entries) = node.value { known = entries.map(\.key) }
            decoder.report(
                entry.location, "\(parent) has no `\(entry.key)`", expected: known.isEmpty ? nil : "one of: \(known.joined(separator: ", "))",
                nearest: Spelling.nearest(to: key, among: known))
            return node
        }
        if path.count == 1, name == nil {
            entries.remove(at: index)
        } else {
            entries[index].value = removing(path.dropFirst(), name, entry, entries[index].value)
        }
        return SourceNode(value: .map(entries), location: node.location)
    }

    private func without(_ name: (text: String, place: SourceLocation), _ path: String, _ node: SourceNode) -> SourceNode {
        var known: [String] = []
        switch node.value {
        case .list(let items):
            let key = TreeMerge.identities[path] ?? "name"
            known = items.compactMap { $0.text ?? $0.entry(key)?.text }
            let rest = items.filter { ($0.text ?? $0.entry(key)?.text) != name.text }
            if rest.count < items.count { return SourceNode(value: .list(rest), location: node.location) }
        case .map(let entries):
            known = entries.map(\.key)
            let rest = entries.filter { $0.key != name.text }
            if rest.count < entries.count { return SourceNode(value: .map(rest), location: node.location) }
        case .scalar: break
        }
        decoder.report(
            name.place, "`\(path)` of \(parent) has no `\(name.text)`", expected: known.isEmpty ? nil : "one of: \(known.joined(separator: ", "))",
            nearest: Spelling.nearest(to: name.text, among: known))
        return node
    }
}
