import Yams

/// YAML that others wrote: tags are passed over, anchors are followed as far as the limits go.
enum YAMLText {
    static func read(_ source: SourceText) throws -> DataNode {
        if let line = tooDeep(source) { throw ReadingProblem(line: line, description: "values are nested too deep") }
        let node: Node?
        do { node = try compose(yaml: source.text) } catch let error as YamlError {
            throw problem(error)
        }
        guard let node else { return DataNode(.nothing, line: 1) }
        var budget = DataNode.nodeLimit
        return try convert(node, 0, &budget)
    }

    /// The parser goes down one call for each level, so what would go too deep must not reach it.
    private static func tooDeep(_ source: SourceText) -> Int? {
        var flow = 0
        for number in 1...max(1, source.lineCount) {
            var leads = 0
            var isLead = true
            for byte in source.line(number).utf8 {
                switch byte {
                case UInt8(ascii: "["), UInt8(ascii: "{"): flow += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"): flow = max(0, flow - 1)
                case UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"): if isLead { leads += 1 }
                case UInt8(ascii: " "): break
                default: isLead = false
                }
            }
            if flow > 200 || leads > 200 && source.line(number).contains("- - - -") { return number }
        }
        return nil
    }

    private static func problem(_ error: YamlError) -> ReadingProblem {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            ReadingProblem(line: max(1, mark.line), description: "this is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            ReadingProblem(line: max(1, context.mark.line), description: "\(keys.first.map { "\($0)" } ?? "a key") stands twice in a mapping")
        default: ReadingProblem(line: 1, description: "this is not YAML")
        }
    }

    private static func convert(_ node: Node, _ depth: Int, _ budget: inout Int) throws -> DataNode {
        let line = node.mark?.line ?? 1
        budget -= 1
        if budget < 0 { throw ReadingProblem(line: line, description: "it unfolds to more than \(DataNode.nodeLimit) values") }
        if depth > DataNode.depthLimit { throw ReadingProblem(line: line, description: "values are nested too deep") }
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            return DataNode(isNull ? .nothing : .text(scalar.string), line: line)
        case .sequence(let sequence):
            var items: [DataNode] = []
            for item in sequence { items.append(try convert(item, depth + 1, &budget)) }
            return DataNode(.list(items), line: line)
        case .mapping(let mapping):
            var entries: [(key: String, value: DataNode)] = []
            var merged: [DataNode] = []
            for (key, value) in mapping {
                guard case .scalar(let scalar) = key else { continue }
                let value = try convert(value, depth + 1, &budget)
                if scalar.string == "<<" {
                    merged += value.listOrSelf
                    continue
                }
                // Evidence is the line of the key: a block of text has no line of its own.
                entries.append((scalar.string, DataNode(value.value, line: key.mark?.line ?? value.line)))
            }
            for (key, value) in merged.flatMap(\.entries) where !entries.contains(where: { $0.key == key }) { entries.append((key, value)) }
            return DataNode(.map(entries), line: line)
        case .alias: return DataNode(.nothing, line: line)
        }
    }
}
