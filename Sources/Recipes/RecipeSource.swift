import Yams

/// The text of a recipe and its tree of nodes; knows YAML, nothing of recipes.
package struct RecipeSource {
    /// A recipe larger than this is a mistake.
    static let sizeLimit = 1 << 20
    /// Bounds what aliases can unfold to.
    static let nodeLimit = 20_000
    /// Private characters that mark the second of two equal keys (`RecipeSource+Composition.swift`).
    static let marks: ClosedRange<UInt32> = 0xF000...0xF8FF

    let file: String
    let text: String
    let lines: [String]

    package init(file: String, text: String) {
        self.file = file
        self.text = text
        // By scalars: CR LF is one Character.
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
            String($0.last == "\r" ? $0.dropLast() : $0)
        }
    }

    func line(_ number: Int) -> String? { lines.indices.contains(number - 1) ? lines[number - 1] : nil }

    func location(_ line: Int, _ column: Int) -> SourceLocation {
        SourceLocation(file: file, line: max(1, line), column: max(1, column))
    }

    func failure(_ line: Int, _ column: Int, _ message: String, expected: String? = nil) -> RecipeDiagnostics {
        // A parser that ran off the end of the file is better shown at its last line.
        let line = min(max(1, line), max(1, lines.count))
        return RecipeDiagnostics([
            Diagnostic(at: location(line, column), message, expected: expected, source: self.line(line))
        ])
    }

    /// The tree. Throws ``RecipeDiagnostics`` for a syntax error; equal keys are marked, and told by the decoder.
    package func root() throws -> SourceNode {
        if text.utf8.count > Self.sizeLimit {
            throw failure(1, 1, "the file is larger than \(Self.sizeLimit / 1024) KiB", expected: "a recipe")
        }
        if let position = text.unicodeScalars.firstIndex(where: { Self.marks.contains($0.value) }) {
            let before = text.unicodeScalars[..<position].split(separator: "\n", omittingEmptySubsequences: false)
            throw failure(
                before.count, (before.last?.count ?? 0) + 1, "private characters (U+F000 to U+F8FF) are not allowed")
        }
        guard let node = try composed() else {
            throw failure(1, 1, "the file is empty", expected: "a recipe: `version: 1`, `name:`, `base:` and more")
        }
        var budget = Self.nodeLimit
        return try convert(node, depth: 0, budget: &budget)
    }

    private func convert(_ node: Node, depth: Int, budget: inout Int) throws -> SourceNode {
        let line = node.mark?.line ?? 1
        let column = node.mark?.column ?? 1
        budget -= 1
        if budget < 0 { throw failure(line, column, "the recipe unfolds to more than \(Self.nodeLimit) values") }
        if depth > 32 { throw failure(line, column, "values are nested more than 32 deep") }
        let place = location(line, column)
        switch node {
        case .scalar(let scalar):
            let tag = scalar.tag.description
            if tag.hasPrefix("!"), tag != "!" {
                throw failure(line, column, "the tag `\(tag)` has no meaning in a recipe", expected: "a plain value")
            }
            return SourceNode(value: .scalar(scalar.string, plain: scalar.style == .plain), location: place)
        case .sequence(let sequence):
            let items = try sequence.map { try convert($0, depth: depth + 1, budget: &budget) }
            return SourceNode(value: .list(items), location: place)
        case .mapping(let mapping):
            var entries: [SourceNode.Entry] = []
            for (key, value) in mapping {
                guard case .scalar(let scalar) = key else {
                    throw failure(
                        key.mark?.line ?? line, key.mark?.column ?? column, "a key must be a word",
                        expected: "`key: value`")
                }
                let keyLine = key.mark?.line ?? line
                let keyColumn = key.mark?.column ?? column
                let isRepeated = scalar.string.unicodeScalars.contains { Self.marks.contains($0.value) }
                entries.append(
                    .init(
                        key: isRepeated ? original(scalar.string, keyLine, keyColumn) : scalar.string,
                        location: location(keyLine, keyColumn),
                        value: try convert(value, depth: depth + 1, budget: &budget), isRepeated: isRepeated))
            }
            return SourceNode(value: .map(entries), location: place)
        case .alias:
            throw failure(line, column, "an alias without its anchor")
        }
    }
}
