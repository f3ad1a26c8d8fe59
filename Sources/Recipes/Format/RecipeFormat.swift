import Foundation

/// The one way to write a recipe or a fragment (`terrine fmt`): what it means and its comments stay as they are.
public enum RecipeFormat {
    /// The text in its canonical form.
    ///
    /// - Throws: ``RecipeDiagnostics`` for what is not YAML, ``RecipeError`` `unformattable` when it cannot be written anew without a change of meaning.
    public static func formatted(_ text: String, file: String) throws -> String {
        let before = try meaning(text, file)
        guard let root = try FormatReader.read(Array(text.utf8)) else { return text }
        let comments = CommentPlacer(text, root).place(in: root)
        var new = FormatWriter.text(root)
        // What is canonical is written the same again. Comments in odd places may need another round to find theirs.
        for round in 0..<4 {
            guard let again = try FormatReader.read(Array(new.utf8)) else { break }
            _ = CommentPlacer(new, again).place(in: again)
            let next = FormatWriter.text(again)
            if next == new { break }
            if round == 3 {
                throw RecipeError("unformattable", "\(file) cannot be formatted: its comments find no place", fix: "move comments to lines of their own")
            }
            new = next
        }
        let after: Meaning
        do { after = try meaning(new, file) } catch {
            throw RecipeError(
                "unformattable", "\(file) cannot be formatted: what came of it is no YAML", fix: "write it without what is rare in YAML, or leave it as it is")
        }
        guard before == after else {
            throw RecipeError(
                "unformattable", "\(file) cannot be formatted without a change of meaning", fix: "write it without what is rare in YAML, or leave it as it is")
        }
        guard let root = try FormatReader.read(Array(new.utf8)), CommentPlacer(new, root).place(in: root).sorted() == comments.sorted() else {
            throw RecipeError("unformattable", "\(file) cannot be formatted: a comment would be lost", fix: "move comments to lines of their own")
        }
        return new
    }

    /// A tree without places and styles.
    private indirect enum Meaning: Equatable {
        case scalar(String, isNull: Bool)
        case list([Meaning])
        case map([String: Meaning])
    }

    private static func meaning(_ text: String, _ file: String) throws -> Meaning {
        let source = RecipeSource(file: file, text: text)
        func meaning(_ node: SourceNode) throws -> Meaning {
            switch node.value {
            case .scalar(let text, _): return .scalar(text, isNull: node.isNull)
            case .list(let items): return .list(try items.map(meaning))
            case .map(let entries):
                var out: [String: Meaning] = [:]
                for entry in entries {
                    guard !entry.isRepeated, out.updateValue(try meaning(entry.value), forKey: entry.key) == nil else {
                        throw source.failure(
                            entry.location.line, entry.location.column, "`\(entry.key)` stands twice in this mapping", expected: "each key once")
                    }
                }
                return .map(out)
            }
        }
        return try meaning(try source.root())
    }
}
