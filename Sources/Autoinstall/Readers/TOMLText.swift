/// TOML, as manifests use it. Values other than texts, lists and tables are kept as they are written.
struct TOMLText {
    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var line = 1
    private var budget = DataNode.nodeLimit

    /// A table on its way: entries by key, with the line of each.
    private final class Table {
        enum Item {
            case node(DataNode)
            case table(Table)
            case tables([Table])
        }
        let line: Int
        var keys: [String] = []
        var items: [String: Item] = [:]
        init(line: Int) { self.line = line }

        func set(_ key: String, _ item: Item) {
            if items.updateValue(item, forKey: key) == nil { keys.append(key) }
        }

        var node: DataNode {
            DataNode(
                .map(
                    keys.compactMap { key in
                        switch items[key] {
                        case .node(let node): (key, node)
                        case .table(let table): (key, table.node)
                        case .tables(let tables): (key, DataNode(.list(tables.map(\.node)), line: tables.first?.line ?? line))
                        case nil: nil
                        }
                    }), line: line)
        }
    }

    static func read(_ source: SourceText) throws -> DataNode {
        var reader = TOMLText(scalars: Array(source.text.unicodeScalars))
        return try reader.document().node
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private func problem(_ text: String) -> ReadingProblem { ReadingProblem(line: line, description: "this is not TOML: \(text)") }

    private var next: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

    private func looking(at text: String) -> Bool { scalars[at...].starts(with: text.unicodeScalars) }

    /// Spaces, and with `lines` line breaks and comments too.
    private mutating func space(lines: Bool = false) {
        while let next {
            if next == "#" {
                while let next = self.next, next != "\n" { at += 1 }
            } else if next == "\n", lines {
                line += 1
                at += 1
            } else if next == " " || next == "\t" || next == "\r" {
                at += 1
            } else {
                return
            }
        }
    }

    private mutating func document() throws -> Table {
        let root = Table(line: 1)
        var current = root
        space(lines: true)
        while next != nil {
            if next == "[" {
                let isArray = looking(at: "[[")
                at += isArray ? 2 : 1
                let path = try key()
                guard looking(at: isArray ? "]]" : "]") else { throw problem("a table's name without its end") }
                at += isArray ? 2 : 1
                current = try table(path, in: root, isArray: isArray)
            } else {
                let (path, line) = (try key(), line)
                guard next == "=" else { throw problem("a key without `=`") }
                at += 1
                space()
                let value = try value(0)
                let parent = try table(path.dropLast(), in: current, isArray: false)
                parent.set(path[path.count - 1], .node(DataNode(value.value, line: line)))
            }
            space()
            if let next, next != "\n" { throw problem("something after a value") }
            space(lines: true)
        }
        return root
    }

    private func table(_ path: some Collection<String>, in root: Table, isArray: Bool) throws -> Table {
        if path.count > DataNode.depthLimit { throw problem("tables are nested too deep") }
        var table = root
        for (index, key) in path.enumerated() {
            let isLast = index == path.count - 1
            switch table.items[key] {
            case .table(let inner): table = inner
            case .tables(let all):
                let new = isLast && isArray ? Table(line: line) : nil
                if let new { table.set(key, .tables(all + [new])) }
                guard let last = new ?? all.last else { throw problem("an empty list of tables") }
                table = last
            case .node: throw problem("`\(key)` is a value and a table")
            case nil:
                let new = Table(line: line)
                table.set(key, isLast && isArray ? .tables([new]) : .table(new))
                table = new
            }
        }
        return table
    }

    /// `a.b."c d"`.
    private mutating func key() throws -> [String] {
        var parts: [String] = []
        while true {
            space()
            if next == "\"" || next == "'" {
                parts.append(try string())
            } else {
                let from = at
                while let next, next.properties.isAlphabetic || ("0"..."9").contains(next) || next == "_" || next == "-" { at += 1 }
                if at == from { throw problem("a key is missing") }
                parts.append(text(from))
            }
            space()
            guard next == "." else { return parts }
            at += 1
        }
    }

    private func text(_ from: Int) -> String { String(String.UnicodeScalarView(scalars[from..<at])) }

    private mutating func value(_ depth: Int) throws -> DataNode {
        budget -= 1
        if budget < 0 { throw problem("more than \(DataNode.nodeLimit) values") }
        if depth > DataNode.depthLimit { throw problem("values are nested too deep") }
        let start = line
        switch next {
        case "\"", "'": return DataNode(.text(try string()), line: start)
        case "[":
            at += 1
            var items: [DataNode] = []
            space(lines: true)
            while next != "]" {
                if next == nil { throw problem("a list without its end") }
                items.append(try value(depth + 1))
                space(lines: true)
                if next == "," { at += 1 } else if next != "]" { throw problem("a `,` is missing") }
                space(lines: true)
            }
            at += 1
            return DataNode(.list(items), line: start)
        case "{":
            at += 1
            let table = Table(line: line)
            space(lines: true)
            while next != "}" {
                if next == nil { throw problem("a table without its end") }
                let (path, line) = (try key(), line)
                guard next == "=" else { throw problem("a key without `=`") }
                at += 1
                space()
                let value = try value(depth + 1)
                try self.table(path.dropLast(), in: table, isArray: false).set(path[path.count - 1], .node(DataNode(value.value, line: line)))
                space(lines: true)
                if next == "," { at += 1 } else if next != "}" { throw problem("a `,` is missing") }
                space(lines: true)
            }
            at += 1
            return DataNode(table.node.value, line: start)
        default:
            let from = at
            while let next, !",]}#\n\r".unicodeScalars.contains(next) { at += 1 }
            let word = text(from).trimmingSpaces
            if word.isEmpty { throw problem("a value is missing") }
            return DataNode(.text(word), line: start)
        }
    }

    private mutating func string() throws -> String {
        let isBasic = next == "\""
        let quote: Unicode.Scalar = isBasic ? "\"" : "'"
        let isLong = looking(at: isBasic ? "\"\"\"" : "'''")
        at += isLong ? 3 : 1
        if isLong, next == "\n" {
            line += 1
            at += 1
        }
        var out = String.UnicodeScalarView()
        while let next {
            if isLong ? looking(at: isBasic ? "\"\"\"" : "'''") : next == quote {
                at += isLong ? 3 : 1
                return String(out)
            }
            at += 1
            if next == "\n" {
                if !isLong { throw problem("a text without its end") }
                line += 1
            }
            guard isBasic, next == "\\", let letter = self.next else {
                out.append(next)
                continue
            }
            at += 1
            switch letter {
            case "n": out.append("\n")
            case "t": out.append("\t")
            case "r": out.append("\r")
            case "u", "U":
                let count = letter == "u" ? 4 : 8
                let digits = String(String.UnicodeScalarView(scalars[at..<min(scalars.count, at + count)]))
                at = min(scalars.count, at + count)
                out.append(UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) ?? "\u{FFFD}")
            case "\n":
                // A line that goes on: the break and the spaces after it are not part of it.
                line += 1
                while let next = self.next, next == " " || next == "\t" || next == "\n" {
                    if next == "\n" { line += 1 }
                    at += 1
                }
            default: out.append(letter)
            }
        }
        throw problem("a text without its end")
    }
}
