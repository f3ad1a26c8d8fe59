import Recipes

/// A recipe's text on its way: entries go in at their places, and every line that has nothing to do with them stays as it is.
///
/// What stands in brackets stays in brackets. What cannot be edited so (aliases, values over several lines in brackets) is refused, not guessed.
struct RecipeText {
    struct Refusal: Error, CustomStringConvertible { let description: String }

    private(set) var lines: [String]
    private let file: String

    init(_ text: String, file: String = Recipe.fileName) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        self.file = file
    }

    var text: String { lines.joined(separator: "\n") }

    // MARK: Looking

    /// The value at a path such as `["packages", "apt", "0"]`.
    func node(_ path: [String]) throws -> SourceNode? {
        try path.reduce(RecipeSource(file: file, text: text).root()) { node, key in node.flatMap { Self.child($0, key)?.value } }
    }

    private static func child(_ node: SourceNode, _ key: String) -> (value: SourceNode, key: SourceLocation)? {
        switch node.value {
        case .map(let entries): entries.first { $0.key == key }.map { ($0.value, $0.location) }
        case .list(let items): Int(key).flatMap { items.indices.contains($0) ? (items[$0], items[$0].location) : nil }
        case .scalar: nil
        }
    }

    /// Where the key of a value stands.
    private func keyLocation(_ path: [String]) throws -> SourceLocation {
        guard let last = path.last, let parent = try node(Array(path.dropLast())), let found = Self.child(parent, last) else {
            throw Refusal(description: "there is no `\(path.joined(separator: "."))`")
        }
        return found.key
    }

    private func character(at place: SourceLocation) -> Unicode.Scalar? {
        guard lines.indices.contains(place.line - 1) else { return nil }
        let scalars = lines[place.line - 1].unicodeScalars
        return scalars.count >= place.column ? scalars[scalars.index(scalars.startIndex, offsetBy: place.column - 1)] : nil
    }

    private func isFlow(_ node: SourceNode) -> Bool { character(at: node.location).map { $0 == "[" || $0 == "{" } ?? false }

    private static func indent(_ line: String) -> Int { line.prefix { $0 == " " }.count }

    private static func isBlank(_ line: String) -> Bool { line.allSatisfy(\.isWhitespace) }

    private static func isComment(_ line: String) -> Bool { line.first { !$0.isWhitespace } == "#" }

    /// The index of the last line of what begins at line `start` and is at least `indent` deep.
    ///
    /// - Parameter isList: lines so deep count only where they begin with a dash.
    private func lastLine(from start: Int, indent: Int, isList: Bool) -> Int {
        var last = start
        for index in (start + 1)..<max(start + 1, lines.count) {
            let line = lines[index]
            if Self.isBlank(line) { continue }
            let depth = Self.indent(line)
            if depth < indent || depth == indent && isList && !line.dropFirst(indent).hasPrefix("-") {
                // Comments may stand further left than what they are about.
                if Self.isComment(line) { continue }
                break
            }
            last = index
        }
        return last
    }

    /// The closing bracket of what is opened at a place.
    private func closing(_ place: SourceLocation) throws -> (line: Int, offset: Int) {
        var depth = 0
        var quote: Character?
        for index in (place.line - 1)..<lines.count {
            let characters = Array(lines[index])
            var at = index == place.line - 1 ? place.column - 1 : 0
            while at < characters.count {
                let character = characters[at]
                if let open = quote {
                    if character == "\\", open == "\"" { at += 1 } else if character == open { quote = nil }
                } else if character == "\"" || character == "'" {
                    quote = character
                } else if character == "#", at > 0, characters[at - 1] == " " {
                    break
                } else if "[{".contains(character) {
                    depth += 1
                } else if "]}".contains(character) {
                    depth -= 1
                    if depth == 0 { return (index, at) }
                }
                at += 1
            }
        }
        throw Refusal(description: "a bracket in line \(place.line) is never closed")
    }

    // MARK: Entries

    private static let order = [
        "version", "name", "description", "base", "resources", "packages", "files", "env", "user", "timeout", "workspace", "repositories", "steps", "services",
        "checks", "ports", "secrets", "stand_ins", "network", "prewarm",
    ]

    /// Puts `key: value` into the mapping at `path`, which is made if it is not there.
    mutating func set(_ path: [String], _ key: String, _ value: RecipeValue, why: String) throws {
        guard let map = try node(path), !map.isNull else {
            guard let last = path.last else { throw Refusal(description: "the recipe is empty") }
            if try node(path) != nil { return try fill(path, .map([(key, value)]), why: why) }
            return try set(Array(path.dropLast()), last, .map([(key, value)]), why: why)
        }
        guard case .map(let entries) = map.value else { throw Refusal(description: "`\(path.joined(separator: "."))` is no mapping") }
        if entries.contains(where: { $0.key == key }) { throw Refusal(description: "`\((path + [key]).joined(separator: "."))` is there already") }
        if isFlow(map) { return try insertIntoBrackets(map, "\(key): \(value.flow)", isEmpty: entries.isEmpty, why: why) }
        let indent = map.location.column - 1
        let new = value.entry(key, indent: indent, why: why)
        if !path.isEmpty {
            let last = lastLine(from: map.location.line - 1, indent: indent, isList: false)
            return lines.insert(contentsOf: new, at: last + 1)
        }
        // Sections have their order.
        let rank = Self.order.firstIndex(of: key) ?? Self.order.count
        let before = entries.last { (Self.order.firstIndex(of: $0.key) ?? 0) < rank } ?? entries.first
        let line = (before?.location.line ?? 1) - 1
        lines.insert(contentsOf: new, at: lastLine(from: line, indent: 1, isList: false, or: "-") + 1)
    }

    /// As ``lastLine(from:indent:isList:)``, for a top-level entry, whose list may stand as far left as its key.
    private func lastLine(from start: Int, indent: Int, isList: Bool, or dash: String) -> Int {
        var last = start
        for index in (start + 1)..<max(start + 1, lines.count) {
            let line = lines[index]
            if Self.isBlank(line) { continue }
            if Self.indent(line) < indent, !line.hasPrefix(dash) {
                if Self.isComment(line) { continue }
                break
            }
            last = index
        }
        return last
    }

    /// Gives a key that stands without a value one.
    private mutating func fill(_ path: [String], _ value: RecipeValue, why: String) throws {
        let place = try keyLocation(path)
        let line = lines[place.line - 1]
        guard let key = path.last, line.dropFirst(place.column - 1).trimmingSpaces.hasPrefix("\(key):"), !isInBrackets(place) else {
            throw Refusal(description: "`\(path.joined(separator: "."))` has an empty value in line \(place.line)")
        }
        lines.replaceSubrange((place.line - 1)..<place.line, with: value.entry(key, indent: place.column - 1, why: why))
    }

    private func isInBrackets(_ place: SourceLocation) -> Bool {
        lines[place.line - 1].unicodeScalars.prefix(place.column - 1).contains { $0 == "{" || $0 == "[" }
    }

    /// Adds an item to the list at `path`, which is made if it is not there.
    mutating func append(_ path: [String], _ value: RecipeValue, why: String, isFirst: Bool = false) throws {
        guard let list = try node(path), !list.isNull else {
            guard let last = path.last else { return }
            if try node(path) != nil { return try fill(path, .list([value]), why: why) }
            return try set(Array(path.dropLast()), last, .list([value]), why: why)
        }
        guard case .list(let items) = list.value else { throw Refusal(description: "`\(path.joined(separator: "."))` is no list") }
        if isFlow(list) { return try insertIntoBrackets(list, value.flow, isEmpty: items.isEmpty, isFirst: isFirst, why: why) }
        let indent = list.location.column - 1
        let new = value.item(indent: indent, why: why)
        let start = list.location.line - 1
        lines.insert(contentsOf: new, at: isFirst ? start : lastLine(from: start, indent: indent, isList: true) + 1)
    }

    private mutating func insertIntoBrackets(_ node: SourceNode, _ text: String, isEmpty: Bool, isFirst: Bool = false, why: String) throws {
        if isFirst {
            var characters = Array(lines[node.location.line - 1])
            characters.insert(contentsOf: Array(isEmpty ? text : " \(text),"), at: node.location.column)
            lines[node.location.line - 1] = String(characters)
        } else {
            let end = try closing(node.location)
            var characters = Array(lines[end.line])
            var at = end.offset
            while at > 0, characters[at - 1] == " " { at -= 1 }
            // On a line of its own the bracket closes what ended before.
            guard at > 0 else { throw Refusal(description: "the list in line \(node.location.line) is in brackets over several lines") }
            characters.insert(contentsOf: Array(isEmpty ? " \(text)" : characters[at - 1] == "," ? " \(text)" : ", \(text)"), at: at)
            lines[end.line] = String(characters)
        }
        let line = lines[node.location.line - 1]
        // Comments cannot stand within brackets: it stands above. In a list of mappings the dash begins the line, which is as good.
        lines.insert(String(repeating: " ", count: Self.indent(line)) + RecipeValue.comment(why).trimmingSpaces, at: node.location.line - 1)
    }

    /// Writes another value in the place of a scalar.
    mutating func replace(_ path: [String], _ value: RecipeValue, why: String) throws {
        guard let key = path.last, let old = try node(path), case .scalar(let oldText, let isPlain) = old.value else {
            throw Refusal(description: "`\(path.joined(separator: "."))` is no single value")
        }
        let place = old.location
        let line = lines[place.line - 1]
        let head = String(line.unicodeScalars.prefix(place.column - 1).map(Character.init))
        let rest = String(line.unicodeScalars.dropFirst(place.column - 1).map(Character.init))
        if rest.hasPrefix("|") || rest.hasPrefix(">") {
            let keyPlace = try keyLocation(path)
            let last = lastLine(from: place.line - 1, indent: keyPlace.column, isList: false)
            let new = value.entry(key, indent: keyPlace.column - 1, why: why, lead: String(head.prefix(keyPlace.column - 1)))
            return lines.replaceSubrange((place.line - 1)...last, with: new)
        }
        let isInFlow = isInBrackets(place)
        guard let length = Self.length(rest, isFlow: isInFlow) else { throw Refusal(description: "the value in line \(place.line) goes over several lines") }
        // A plain value may go on in the next line.
        if isPlain, !rest.prefix(length).trimmingSpaces.elementsEqual(oldText) {
            throw Refusal(description: "the value in line \(place.line) is an alias, or goes on")
        }
        let after = rest.dropFirst(length)
        if isInFlow {
            lines[place.line - 1] = head + value.flow + after
            lines.insert(String(repeating: " ", count: Self.indent(line)) + RecipeValue.comment(why).trimmingSpaces, at: place.line - 1)
        } else if Int(key) != nil {
            lines[place.line - 1] = head + value.flow + RecipeValue.comment(why)
        } else {
            let keyPlace = try keyLocation(path)
            lines.replaceSubrange(
                (place.line - 1)..<place.line,
                with: value.entry(key, indent: keyPlace.column - 1, why: why, lead: String(head.prefix(keyPlace.column - 1))))
        }
    }

    /// How many characters a scalar takes; nil when it does not end in this line.
    private static func length(_ text: String, isFlow: Bool) -> Int? {
        let characters = Array(text)
        if let quote = characters.first, quote == "\"" || quote == "'" {
            var at = 1
            while at < characters.count {
                if characters[at] == "\\", quote == "\"" {
                    at += 1
                } else if characters[at] == quote {
                    if quote == "'", at + 1 < characters.count, characters[at + 1] == "'" { at += 1 } else { return at + 1 }
                }
                at += 1
            }
            return nil
        }
        for (at, character) in characters.enumerated() {
            if character == "#", at > 0, characters[at - 1] == " " { return at }
            if isFlow, ",]}".contains(character) { return at }
        }
        return characters.count
    }
}
