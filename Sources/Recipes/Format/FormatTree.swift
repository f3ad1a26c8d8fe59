import CYaml

/// A recipe's text as the formatter sees it: nodes as they were written, anchors and aliases too, and the comments beside them.
final class FormatNode {
    enum Value {
        /// - Parameter isBlock: `|` or `>`.
        case scalar(String, style: Style)
        case alias(String)
        case list([FormatNode])
        case map([(key: FormatNode, value: FormatNode)])
    }
    enum Style { case plain, quoted, block }

    var value: Value
    var anchor: String?
    /// Written with brackets.
    let isFlow: Bool
    /// From 0.
    let start: (line: Int, column: Int, index: Int)
    var end: (line: Int, column: Int, index: Int)

    /// Comments on lines of their own before this, and whether an empty line stands before the first of them.
    var lead: [FormatComment] = []
    var hasGap = false
    /// At the end of the node's first line, or of its only one.
    var trailing: String?
    /// Comments at the end, inside.
    var foot: [FormatComment] = []
    /// A comment stands between its brackets: it is written over several lines.
    var holdsComments = false

    init(_ value: Value, isFlow: Bool = false, start: yaml_mark_t, end: yaml_mark_t) {
        self.value = value
        self.isFlow = isFlow
        self.start = (start.line, start.column, start.index)
        self.end = (end.line, end.column, end.index)
    }

    var isBlockCollection: Bool {
        switch value {
        case .list, .map: !isFlow
        default: false
        }
    }

    var children: [FormatNode] {
        switch value {
        case .list(let items): items
        case .map(let pairs): pairs.flatMap { [$0.key, $0.value] }
        default: []
        }
    }
}

/// One comment.
struct FormatComment {
    /// With its `#`.
    let text: String
    /// An empty line stands before it.
    var hasGap: Bool
}

/// Reads events of libyaml into a tree.
struct FormatReader {
    private let parser: UnsafeMutablePointer<yaml_parser_t>

    /// - Throws: ``RecipeError`` `unformattable` for what has no canonical form; syntax errors were told before.
    static func read(_ bytes: [UInt8]) throws -> FormatNode? {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { throw failure("there is no memory for it") }
        defer { yaml_parser_delete(parser) }
        return try bytes.withUnsafeBufferPointer { buffer in
            yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            let reader = FormatReader(parser: parser)
            return try reader.document()
        }
    }

    private static func failure(_ why: String) -> RecipeError { RecipeError("unformattable", "the file cannot be formatted: \(why)") }

    private func document() throws -> FormatNode? {
        var root: FormatNode?
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_STREAM_END_EVENT: return root
            case YAML_STREAM_START_EVENT, YAML_DOCUMENT_END_EVENT: continue
            case YAML_DOCUMENT_START_EVENT:
                if event.data.document_start.version_directive != nil { throw Self.failure("it has a %YAML directive") }
                root = try node(try next())
            default: throw Self.failure("it is not one document")
            }
        }
    }

    private func next() throws -> yaml_event_t {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw Self.failure("it is not YAML") }
        return event
    }

    private func node(_ event: yaml_event_t) throws -> FormatNode {
        var event = event
        defer { yaml_event_delete(&event) }
        let (start, end) = (event.start_mark, event.end_mark)
        switch event.type {
        case YAML_ALIAS_EVENT:
            return FormatNode(.alias(Self.text(event.data.alias.anchor)), start: start, end: end)
        case YAML_SCALAR_EVENT:
            let data = event.data.scalar
            if data.tag != nil { throw Self.failure("it has a tag on line \(start.line + 1)") }
            let bytes = UnsafeBufferPointer(start: data.value, count: data.length)
            let style: FormatNode.Style =
                switch data.style {
                case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
                case YAML_SINGLE_QUOTED_SCALAR_STYLE, YAML_DOUBLE_QUOTED_SCALAR_STYLE: .quoted
                default: .plain
                }
            let node = FormatNode(.scalar(String(decoding: bytes, as: UTF8.self), style: style), start: start, end: end)
            node.anchor = data.anchor.map(Self.text)
            return node
        case YAML_SEQUENCE_START_EVENT:
            if event.data.sequence_start.tag != nil { throw Self.failure("it has a tag on line \(start.line + 1)") }
            let node = FormatNode(.list([]), isFlow: event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, start: start, end: end)
            node.anchor = event.data.sequence_start.anchor.map(Self.text)
            var items: [FormatNode] = []
            while let event = try inside(node, until: YAML_SEQUENCE_END_EVENT) { items.append(try self.node(event)) }
            node.value = .list(items)
            return node
        case YAML_MAPPING_START_EVENT:
            if event.data.mapping_start.tag != nil { throw Self.failure("it has a tag on line \(start.line + 1)") }
            let node = FormatNode(.map([]), isFlow: event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, start: start, end: end)
            node.anchor = event.data.mapping_start.anchor.map(Self.text)
            var pairs: [(FormatNode, FormatNode)] = []
            while let event = try inside(node, until: YAML_MAPPING_END_EVENT) {
                let key = try self.node(event)
                guard case .scalar(_, let style) = key.value, style != .block else { throw Self.failure("a key is no word on line \(key.start.line + 1)") }
                pairs.append((key, try self.node(try next())))
            }
            node.value = .map(pairs.map { (key: $0.0, value: $0.1) })
            return node
        default: throw Self.failure("it is not YAML")
        }
    }

    /// The next event in a collection; nil at its end.
    private func inside(_ node: FormatNode, until end: yaml_event_type_t) throws -> yaml_event_t? {
        var event = try next()
        if event.type != end { return event }
        node.end = (event.end_mark.line, event.end_mark.column, event.end_mark.index)
        yaml_event_delete(&event)
        return nil
    }

    private static func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String {
        bytes.map { String(cString: $0) } ?? ""
    }
}
