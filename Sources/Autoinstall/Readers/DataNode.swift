/// A value of a JSON, TOML or YAML file with its line: what importers read, whatever the file's language.
struct DataNode: Sendable {
    indirect enum Value: Sendable {
        case text(String)
        case list([DataNode])
        case map([(key: String, value: DataNode)])
        case nothing
    }

    var value: Value
    /// From 1.
    let line: Int

    /// Beyond these a file is not what its name says.
    static let depthLimit = 64
    static let nodeLimit = 50_000

    init(_ value: Value, line: Int) { (self.value, self.line) = (value, line) }

    subscript(_ key: String) -> DataNode? {
        guard case .map(let entries) = value else { return nil }
        return entries.last { $0.key == key }?.value
    }

    /// By several keys, one below the other.
    subscript(path path: String...) -> DataNode? { path.reduce(self) { $0?[$1] } }

    /// A text, number or switch, as it is written.
    var text: String? {
        if case .text(let text) = value { return text }
        return nil
    }

    var entries: [(key: String, value: DataNode)] {
        guard case .map(let entries) = value else { return [] }
        return entries
    }

    /// The list's items; none for anything else.
    var list: [DataNode] {
        if case .list(let items) = value { return items }
        return []
    }

    /// The list's items, or the value as the only one; none for nothing.
    var listOrSelf: [DataNode] {
        switch value {
        case .list(let items): items
        case .nothing: []
        default: [self]
        }
    }

    var texts: [(text: String, line: Int)] { listOrSelf.compactMap { node in node.text.map { ($0, node.line) } } }
}

/// Why a file cannot be read as what its name says.
struct ReadingProblem: Error, CustomStringConvertible {
    /// From 1.
    let line: Int
    let description: String
}
