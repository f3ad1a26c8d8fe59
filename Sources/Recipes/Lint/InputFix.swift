/// Adds entries to the `inputs` of a step in a recipe's text, and changes nothing else: `terrine lint --fix`.
public enum InputFix {
    /// The text with `paths` in the list that begins at `place`.
    ///
    /// - Parameter place: of the list, as ``Recipe/locations`` has it.
    /// - Throws: ``RecipeError`` `notFixed` when there is no such list, or what came of it would not read as it should.
    public static func adding(_ paths: [String], toListAt place: SourceLocation, in text: String) throws -> String {
        guard let root = try FormatReader.read(Array(text.utf8)), let list = find(place, root), case .list(let items) = list.value else {
            throw failure(place)
        }
        var scalars = Array(text.unicodeScalars)
        if list.isFlow {
            let written = paths.map { word($0, isFlow: true) }.joined(separator: ", ")
            // Behind the last entry, so that a comment or a line's end before the bracket stays where it is.
            let at = items.last?.end.index ?? list.start.index + 1
            scalars.insert(contentsOf: Array(((items.isEmpty ? "" : ", ") + written).unicodeScalars), at: at)
        } else {
            guard let last = items.last else { throw failure(place) }
            var at = last.end.index
            while at < scalars.count, scalars[at] != "\n" { at += 1 }
            let indent = String(repeating: " ", count: list.start.column)
            scalars.insert(contentsOf: Array(paths.map { "\n\(indent)- \(word($0, isFlow: false))" }.joined().unicodeScalars), at: at)
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        let new = String(view)
        let wanted = items.compactMap(\.text) + paths
        guard let again = try FormatReader.read(Array(new.utf8)), let list = find(place, again), case .list(let now) = list.value,
            now.compactMap(\.text) == wanted
        else { throw failure(place) }
        return new
    }

    private static func failure(_ place: SourceLocation) -> RecipeError {
        RecipeError("notFixed", "the list at \(place.file):\(place.line):\(place.column) cannot be added to", fix: "add the inputs by hand")
    }

    private static func find(_ place: SourceLocation, _ node: FormatNode) -> FormatNode? {
        if case .list = node.value, node.start.line == place.line - 1, node.start.column == place.column - 1 { return node }
        for child in node.children { if let found = find(place, child) { return found } }
        return nil
    }

    /// A path as a glob that means it alone.
    private static func word(_ path: String, isFlow: Bool) -> String {
        var glob = ""
        for character in path { glob += "*?[\\!".contains(character) ? "\\\(character)" : String(character) }
        // In values `$$` is a dollar sign.
        let text = glob.replacing("$", with: "$$")
        return ScalarText.canBePlain(text, isFlow: isFlow, wasPlain: false) ? text : ScalarText.quoted(text)
    }
}
