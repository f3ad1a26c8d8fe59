/// JSON to be written: keys in order, so that the same value is the same text.
indirect enum JSONValue: Sendable, Equatable {
    case text(String)
    case number(Int)
    case bool(Bool)
    case list([JSONValue])
    case object([String: JSONValue])

    /// With two spaces for each level; what is short is in one line.
    func pretty(_ indent: Int) -> String {
        let flat = line
        if flat.count + indent <= 110 { return flat }
        let (inner, outer) = (String(repeating: " ", count: indent + 2), String(repeating: " ", count: indent))
        switch self {
        case .list(let items): return "[\n" + items.map { inner + $0.pretty(indent + 2) }.joined(separator: ",\n") + "\n\(outer)]"
        case .object(let entries):
            let lines = entries.sorted { $0.key < $1.key }.map { "\(inner)\(CanonicalJSON.string($0.key)): \($0.value.pretty(indent + 2))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        default: return flat
        }
    }

    private var line: String {
        switch self {
        case .text(let text): CanonicalJSON.string(text)
        case .number(let number): String(number)
        case .bool(let bool): String(bool)
        case .list(let items): "[" + items.map(\.line).joined(separator: ", ") + "]"
        case .object(let entries):
            entries.isEmpty
                ? "{}" : "{ " + entries.sorted { $0.key < $1.key }.map { "\(CanonicalJSON.string($0.key)): \($0.value.line)" }.joined(separator: ", ") + " }"
        }
    }
}
