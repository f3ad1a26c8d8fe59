import Yams

/// Composition that survives equal keys: Yams stops at the first pair, and every problem is to be told at once.
///
/// The last letter of the later key is replaced by a private character (so that no column moves) and the text is
/// composed again, until none is left. The decoder then tells each marked key as a repeated one.
extension RecipeSource {
    func composed() throws -> Node? {
        var text = text
        for round in 0..<100 {
            do {
                return try compose(yaml: text)
            } catch YamlError.duplicatedKeysInMapping(let duplicates, let context) {
                guard let key = duplicates.first, !key.isEmpty,
                    let next = marking(key, after: context.mark, in: text, with: Self.mark(round))
                else { throw failure(context.mark.line, context.mark.column, "a key stands twice in this mapping") }
                text = next
            } catch let error as YamlError {
                throw diagnostics(of: error)
            }
        }
        throw failure(1, 1, "more than 100 repeated keys")
    }

    /// The key as it was written, for one that carries a mark.
    func original(_ marked: String, _ line: Int, _ column: Int) -> String {
        let rest = (self.line(line) ?? "").unicodeScalars.dropFirst(column - 1).drop { $0 == "\"" || $0 == "'" }
        return String(String.UnicodeScalarView(rest.prefix(marked.unicodeScalars.count)))
    }

    private static func mark(_ number: Int) -> Unicode.Scalar {
        Unicode.Scalar(marks.lowerBound + UInt32(number)) ?? "\u{F8FF}"
    }

    /// `text` with the next `key` after `place` in the same mapping marked.
    private func marking(_ key: String, after place: Mark, in text: String, with mark: Unicode.Scalar) -> String? {
        let scalars = Array(text.unicodeScalars)
        let ends = keyEnds(Array(key.unicodeScalars), after: place, in: scalars)
        // A candidate belongs to the same mapping when the pair stays although all others are out of the way.
        for (index, end) in ends.enumerated() {
            var others = scalars
            for (number, other) in ends.enumerated() where number != index { others[other] = Self.mark(200 + number) }
            guard repeats(others, at: place) else { continue }
            var changed = scalars
            changed[end] = mark
            return Self.string(changed)
        }
        return nil
    }

    /// Where the last letters of what looks like `key:` are, after `place`.
    private func keyEnds(_ word: [Unicode.Scalar], after place: Mark, in scalars: [Unicode.Scalar]) -> [Int] {
        var position = 0
        var line = 1
        while line < place.line, position < scalars.count {
            if scalars[position] == "\n" { line += 1 }
            position += 1
        }
        position += place.column
        var ends: [Int] = []
        while position + word.count <= scalars.count, ends.count < 1000 {
            defer { position += 1 }
            guard scalars[position] == word[0],
                scalars[position..<(position + word.count)].elementsEqual(word)
            else { continue }
            var after = position + word.count
            while after < scalars.count, ["\"", "'", " "].contains(scalars[after]) { after += 1 }
            if after < scalars.count, scalars[after] == ":" { ends.append(position + word.count - 1) }
        }
        return ends
    }

    private func repeats(_ scalars: [Unicode.Scalar], at place: Mark) -> Bool {
        do {
            _ = try compose(yaml: Self.string(scalars))
        } catch YamlError.duplicatedKeysInMapping(_, let context) {
            return context.mark.line == place.line && context.mark.column == place.column
        } catch {
            // A syntax error further on is told when this pair is out of the way.
            return false
        }
        return false
    }

    private static func string(_ scalars: [Unicode.Scalar]) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    private func diagnostics(of error: YamlError) -> RecipeDiagnostics {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            if problem.contains("found another document") {
                return failure(
                    mark.line, mark.column, "a second YAML document begins here", expected: "one recipe a file")
            }
            let lead =
                context.map { $0.text + ($0.mark.line == mark.line ? ": " : " (from line \($0.mark.line)): ") } ?? ""
            return failure(
                mark.line, mark.column, "this is not YAML: \(lead)\(problem)", expected: Self.hint(problem))
        case .reader(let problem, _, _, _):
            return failure(1, 1, "this is not YAML: \(problem)", expected: "UTF-8 text without control characters")
        default:
            return failure(1, 1, "this is not YAML: \(error)")
        }
    }

    private static func hint(_ problem: String) -> String? {
        if problem.contains("cannot start any token") {
            return "spaces for indentation (not tabs), and quotes around values that begin with @, ` or %"
        }
        if problem.contains("mapping values are not allowed") {
            return "quotes around a value that holds `: `, and one indentation for the keys of one mapping"
        }
        if problem.contains("could not find expected ':'") { return "`key: value`" }
        return nil
    }
}
