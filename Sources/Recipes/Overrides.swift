/// `--set key=value`: replaces one scalar of the recipe, by dotted path, before it is checked.
struct Override {
    let path: [String]
    let value: String
    /// The argument as the user gave it, where its problems are shown.
    let location: SourceLocation

    /// Reads `resources.memory=4GiB`; throws ``RecipeDiagnostics`` for anything else.
    init(_ argument: String) throws {
        let name = "--set \(argument)"
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !path.contains("") else {
            throw RecipeDiagnostics([
                Diagnostic(
                    at: SourceLocation(file: name, line: 1, column: 7), "`\(argument)` is not key=value",
                    expected: "a dotted key and a value, such as resources.memory=4GiB", source: name)
            ])
        }
        self.path = path
        value = String(parts[1])
        location = SourceLocation(file: name, line: 1, column: 7)
    }

    /// The tree with this value in place; what stands in the way is reported, and the tree left as it is.
    ///
    /// - Parameter variables: what could have been meant by a key that does not exist.
    func applied(to root: SourceNode, _ decoder: RecipeDecoder, variables: [String] = []) -> SourceNode {
        let known = RecipeSchema.recipe.keys.map(\.name)
        if path.count == 1, !known.contains(path[0]) {
            decoder.report(
                location, "the recipe has no variable and no key `\(path[0])`",
                expected: (variables + ["a dotted key such as resources.memory"]).joined(separator: ", "),
                nearest: Spelling.nearest(to: path[0], among: variables + known))
            return root
        }
        return place(in: root, path[...], decoder)
    }

    private func place(in node: SourceNode, _ rest: ArraySlice<String>, _ decoder: RecipeDecoder) -> SourceNode {
        let scalar = SourceNode(value: .scalar(value, plain: !value.isEmpty), location: location)
        guard let key = rest.first else {
            if case .scalar = node.value { return scalar }
            decoder.report(
                location, "`\(path.joined(separator: "."))` is \(node.found)", expected: "the key of a single value")
            return node
        }
        guard case .map(var entries) = node.value else {
            let above = path.prefix(path.count - rest.count).joined(separator: ".")
            decoder.report(
                location, "`\(above)` is \(node.found), so `\(key)` cannot be set in it",
                expected: "a key whose parents are mappings")
            return node
        }
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value = place(in: entries[index].value, rest.dropFirst(), decoder)
        } else {
            let value = rest.dropFirst().reversed().reduce(scalar) { inner, name in
                SourceNode(value: .map([.init(key: name, location: location, value: inner)]), location: location)
            }
            entries.append(.init(key: key, location: location, value: value))
        }
        return SourceNode(value: .map(entries), location: node.location)
    }
}
