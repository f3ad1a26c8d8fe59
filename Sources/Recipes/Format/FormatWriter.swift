/// Writes a tree in the one way that recipes are written: two spaces a level, keys in the order of the format, quotes where they are needed.
struct FormatWriter {
    /// What is in brackets stays in one line up to here.
    static let width = 120

    private var out: [String] = []
    /// Keys are put into order, unless aliases would then stand before their anchors.
    private let reorders: Bool

    static func text(_ root: FormatNode) -> String {
        var writer = FormatWriter(reorders: !hasAnchors(root))
        for comment in root.lead { writer.comment(comment, 0) }
        // The first line of the file has no empty line before it, whatever was moved there.
        writer.block(root, 0, .recipe, "", isFirst: root.lead.isEmpty)
        return writer.out.joined(separator: "\n") + "\n"
    }

    private init(reorders: Bool) { self.reorders = reorders }

    private static func hasAnchors(_ node: FormatNode) -> Bool {
        if case .alias = node.value { return true }
        return node.children.contains(where: hasAnchors)
    }

    private mutating func comment(_ comment: FormatComment, _ indent: Int) {
        if comment.hasGap { gap() }
        out.append(String(repeating: " ", count: indent) + comment.text)
    }

    private mutating func gap() { if let last = out.last, !last.isEmpty { out.append("") } }

    private func suffix(_ comments: String?...) -> String { comments.compactMap { $0 }.first.map { "  " + $0 } ?? "" }

    // MARK: Blocks

    /// A collection over several lines; a plain value alone in a file is one line.
    private mutating func block(_ node: FormatNode, _ indent: Int, _ schema: RecipeSchema?, _ path: String, isFirst: Bool = false, lead: String? = nil) {
        var isFirst = isFirst
        var lead = lead
        switch node.value {
        case .map(let pairs):
            for (key, value) in ordered(pairs, schema) {
                begin(key, indent, isFirst: isFirst, isInline: lead != nil)
                let name = key.text ?? ""
                let inside = path.isEmpty ? name : "\(path).\(name)"
                entry(
                    (lead ?? String(repeating: " ", count: indent)) + scalar(key, isFlow: false) + ":", key.trailing, value, indent, Self.schema(at: inside),
                    inside, nested: 2)
                (isFirst, lead) = (false, nil)
            }
        case .list(let items):
            for item in items {
                begin(item, indent, isFirst: isFirst, isInline: lead != nil)
                let dash = (lead ?? String(repeating: " ", count: indent)) + "-"
                if opens(item, indent + 2), case .map(let pairs) = item.value, !pairs.isEmpty, item.anchor == nil {
                    // The first key stands behind the dash.
                    block(item, indent + 2, Self.schema(at: path), path, lead: dash + " ")
                } else {
                    entry(dash, nil, item, indent, Self.schema(at: path), path, nested: 2)
                }
                (isFirst, lead) = (false, nil)
            }
        case .scalar, .alias: out.append(String(repeating: " ", count: indent) + inline(node) + suffix(node.trailing))
        }
        for comment in node.foot { self.comment(comment, indent) }
    }

    private mutating func begin(_ node: FormatNode, _ indent: Int, isFirst: Bool, isInline: Bool) {
        for (number, comment) in node.lead.enumerated() {
            if comment.hasGap, !(isFirst && number == 0) { gap() }
            out.append(String(repeating: " ", count: indent) + comment.text)
        }
        if node.hasGap, !isFirst, !isInline { gap() }
    }

    /// What follows `key:` or `-`.
    private mutating func entry(
        _ head: String, _ trailing: String?, _ value: FormatNode, _ indent: Int, _ schema: RecipeSchema?, _ path: String, nested: Int
    ) {
        let anchor = value.anchor.map { " &\($0)" } ?? ""
        if case .scalar(let text, .block) = value.value {
            let (header, lines) = Self.literal(text, indent + nested)
            out.append("\(head)\(anchor) \(header)\(suffix(trailing, value.trailing))")
            out += lines
        } else if opens(value, head.count + 1 + anchor.count) {
            out.append("\(head)\(anchor)\(suffix(trailing, value.trailing))")
            block(value, indent + nested, schema, path, isFirst: true)
        } else {
            let text = inline(value, withAnchor: false)
            out.append(head + anchor + (text.isEmpty ? "" : " " + text) + suffix(value.trailing, trailing))
        }
    }

    /// Whether a collection is written over several lines.
    private func opens(_ node: FormatNode, _ column: Int) -> Bool {
        if node.children.isEmpty { return false }
        if !node.isFlow || Self.needsLines(node) { return true }
        return column + inline(node).count > Self.width
    }

    private static func needsLines(_ node: FormatNode) -> Bool {
        node.holdsComments || !node.foot.isEmpty || node.children.contains { !$0.lead.isEmpty || $0.trailing != nil || needsLines($0) || $0.isBlockText }
    }

    /// `|` and the lines of a text.
    private static func literal(_ text: String, _ indent: Int) -> (header: String, lines: [String]) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var header = "|"
        if text.hasSuffix("\n") {
            lines.removeLast()
            if lines.last?.isEmpty ?? true { header += "+" }
        } else {
            header += "-"
        }
        // A text that begins with spaces must say where it begins.
        if let first = lines.first(where: { !$0.isEmpty }), first.hasPrefix(" ") || first.hasPrefix("\t") { header = "|2" + header.dropFirst() }
        let spaces = String(repeating: " ", count: indent)
        return (header, lines.map { $0.isEmpty ? "" : spaces + $0 })
    }

    // MARK: One line

    private func inline(_ node: FormatNode, withAnchor: Bool = true) -> String {
        let anchor = withAnchor ? node.anchor.map { "&\($0) " } ?? "" : ""
        switch node.value {
        case .scalar: return anchor + scalar(node, isFlow: false)
        case .alias(let name): return "*\(name)"
        case .list(let items): return anchor + "[" + items.map { flow($0) }.joined(separator: ", ") + "]"
        case .map(let pairs):
            return anchor + (pairs.isEmpty ? "{}" : "{ " + pairs.map { scalar($0.key, isFlow: true) + ": " + flow($0.value) }.joined(separator: ", ") + " }")
        }
    }

    private func flow(_ node: FormatNode) -> String {
        guard case .scalar = node.value else { return inline(node) }
        return (node.anchor.map { "&\($0) " } ?? "") + scalar(node, isFlow: true)
    }

    private func scalar(_ node: FormatNode, isFlow: Bool) -> String {
        guard case .scalar(let text, let style) = node.value else { return "" }
        switch style {
        case .plain where text.isEmpty || ScalarText.canBePlain(text, isFlow: isFlow, wasPlain: true): return text
        case .plain, .block: return ScalarText.quoted(text)
        case .quoted: return ScalarText.canBePlain(text, isFlow: isFlow, wasPlain: false) ? text : ScalarText.quoted(text)
        }
    }

    // MARK: Order

    private func ordered(_ pairs: [(key: FormatNode, value: FormatNode)], _ schema: RecipeSchema?) -> [(key: FormatNode, value: FormatNode)] {
        guard reorders, let schema else { return pairs }
        func rank(_ name: String) -> Int { schema.keys.firstIndex { $0.name == name } ?? schema.keys.count }
        return pairs.enumerated().sorted { (rank($0.element.key.text ?? ""), $0.offset) < (rank($1.element.key.text ?? ""), $1.offset) }.map(\.element)
    }

    /// The mapping that a key's value is, or its entries are.
    private static func schema(at path: String) -> RecipeSchema? {
        switch path {
        case "resources": .resources
        case "packages": .packages
        case let path where path.hasPrefix("packages."): .manager(String(path.dropFirst("packages.".count)))
        case "files": .file
        case "workspace": .workspace
        case "repositories": .repository
        case "steps": .step
        case "steps.caches": .cache
        case "steps.secrets": .stepSecret
        case "services": .service
        case "checks": .check
        case "checks.expect": .expect
        case "secrets": .secret
        case "stand_ins": .standIn
        case "network": .network
        case "prewarm": .prewarm
        case "include": .include
        case "extends": .extends
        default: nil
        }
    }
}

extension FormatNode {
    var text: String? {
        if case .scalar(let text, _) = value { return text }
        return nil
    }

    var isBlockText: Bool {
        if case .scalar(_, .block) = value { return true }
        return false
    }
}
