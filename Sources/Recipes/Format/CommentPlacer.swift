/// Finds the comments of a text and hangs them on the nodes that they belong to.
///
/// A comment on a line of its own belongs to what follows it, or to the end of the block that it is indented with; one behind something belongs to that.
struct CommentPlacer {
    private let lines: [[Unicode.Scalar]]
    /// Lines (from 0) and columns that are text of a value, where `#` is no comment.
    private var values: [Int: [Range<Int>]] = [:]

    private struct Found {
        let line: Int
        let column: Int
        let text: String
        let isAlone: Bool
        let hasGap: Bool
    }

    init(_ text: String, _ root: FormatNode) {
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { Array($0.last == "\r" ? $0.dropLast() : $0) }
        cover(root)
    }

    private mutating func cover(_ node: FormatNode) {
        if case .scalar(_, let style) = node.value {
            var first = node.start.column
            if style == .block {
                // The header may be followed by a comment; what comes below it is text.
                first = .max
            }
            for line in node.start.line...max(node.start.line, node.end.line) {
                let from = line == node.start.line ? first : 0
                let to = line == node.end.line ? node.end.column : Int.max
                if from < to { values[line, default: []].append(from..<to) }
            }
        }
        for child in node.children { cover(child) }
    }

    private func found() -> [Found] {
        var out: [Found] = []
        for (number, line) in lines.enumerated() {
            for column in line.indices where line[column] == "#" {
                if column > 0, line[column - 1] != " ", line[column - 1] != "\t" { continue }
                if values[number]?.contains(where: { $0.contains(column) }) == true { continue }
                let isAlone = line[..<column].allSatisfy { $0 == " " || $0 == "\t" }
                var text = String.UnicodeScalarView(line[column...])
                while text.last == " " || text.last == "\t" { text.removeLast() }
                out.append(Found(line: number, column: column, text: String(text), isAlone: isAlone, hasGap: isEmpty(number - 1)))
                break
            }
        }
        return out
    }

    private func isEmpty(_ line: Int) -> Bool { lines.indices.contains(line) && lines[line].allSatisfy { $0 == " " || $0 == "\t" } }

    /// Hangs all comments, and notes where empty lines stand.
    ///
    /// - Returns: the comments, in the order of the file.
    func place(in root: FormatNode) -> [String] {
        gaps(root)
        let all = found()
        var header: [FormatComment] = []
        for comment in all {
            if comment.isAlone, comment.line < root.start.line {
                header.append(FormatComment(text: comment.text, hasGap: comment.hasGap))
            } else if comment.isAlone {
                alone(comment, root)
            } else {
                behind(comment, root)
            }
        }
        root.lead = header
        return all.map(\.text)
    }

    private func gaps(_ node: FormatNode) {
        let entries: [FormatNode] =
            switch node.value {
            case .list(let items): items
            case .map(let pairs): pairs.map(\.key)
            default: []
            }
        for entry in entries {
            // Comments of its own come between an entry and the empty line; they bring the gap then.
            entry.hasGap = isEmpty(entry.start.line - 1)
        }
        for child in node.children { gaps(child) }
    }

    private func alone(_ comment: Found, _ root: FormatNode) {
        let placed = FormatComment(text: comment.text, hasGap: comment.hasGap)
        var node = root
        while true {
            if node.isFlow { node.holdsComments = true }
            let entries: [(first: FormatNode, last: FormatNode)] =
                switch node.value {
                case .list(let items): items.map { ($0, $0) }
                case .map(let pairs): pairs.map { ($0.key, $0.value) }
                default: []
                }
            let next = entries.first { $0.first.start.line > comment.line }
            let before = entries.last { $0.first.start.line <= comment.line }
            // Inside the entry before it, when that goes on behind it, or when it is indented deeper than this block's entries.
            if let before, let inner = collection(before.last), contains(before.last, comment, next: next?.first, column: node.start.column) {
                node = inner
                continue
            }
            if let next { next.first.lead.append(placed) } else { node.foot.append(placed) }
            return
        }
    }

    private func collection(_ node: FormatNode) -> FormatNode? { node.children.isEmpty ? nil : node }

    private func contains(_ node: FormatNode, _ comment: Found, next: FormatNode?, column: Int) -> Bool {
        if node.isFlow { return (node.start.line, node.start.column) <= (comment.line, comment.column) && comment.line < node.end.line }
        let last = lastLine(node)
        if comment.line < last { return true }
        return comment.column > column && comment.column >= node.start.column
    }

    private func lastLine(_ node: FormatNode) -> Int {
        // A text of several lines ends where the next thing begins; the other kinds know their end.
        let own = node.isFlow || node.children.isEmpty && !node.isBlockText ? node.end.line : node.start.line
        return max(own, node.children.map(lastLine).max() ?? 0)
    }

    /// The last thing on the comment's line that begins before it.
    private func behind(_ comment: Found, _ root: FormatNode) {
        var best: FormatNode?
        func look(_ node: FormatNode, _ flow: FormatNode?) {
            let isFlow = node.isFlow && !node.children.isEmpty
            // Between brackets that go on below, the brackets are opened.
            if isFlow, node.start.line <= comment.line, node.end.line > comment.line { node.holdsComments = true }
            let ends = node.children.isEmpty || isFlow ? node.end.line : node.start.line
            let line = node.isBlockCollection && !node.children.isEmpty ? -1 : (node.isBlockText ? node.start.line : ends)
            if line == comment.line, node.start.line <= comment.line, !(isFlow && node.end.line != comment.line) {
                let isBehind = isFlow ? node.end.column <= comment.column : node.start.column < comment.column
                if isBehind { best = best.map { isLater(node, $0) ? node : $0 } ?? node }
            }
            for child in node.children { look(child, isFlow ? node : flow) }
        }
        look(root, nil)
        (best ?? root).trailing = comment.text
    }

    /// Of two on one line, what encloses the other counts: brackets stay in one line.
    private func isLater(_ node: FormatNode, _ other: FormatNode) -> Bool {
        if other.isFlow, other.start.index <= node.start.index, node.end.index <= other.end.index { return false }
        return node.start.index >= other.start.index
    }
}
