/// JSON, with the comments and trailing commas that editors allow in their own files.
struct JSONText {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1
    private var budget = DataNode.nodeLimit

    static func read(_ source: SourceText) throws -> DataNode {
        var reader = JSONText(bytes: Array(source.text.utf8))
        try reader.space()
        let node = try reader.value(0)
        try reader.space()
        if reader.at < reader.bytes.count { throw reader.problem("more than one value") }
        return node
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func problem(_ text: String) -> ReadingProblem { ReadingProblem(line: line, description: "this is not JSON: \(text)") }

    private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func space() throws {
        while let byte {
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                at += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): at += 1
            case UInt8(ascii: "/"): try comment()
            default: return
            }
        }
    }

    private mutating func comment() throws {
        guard at + 1 < bytes.count else { throw problem("a lone `/`") }
        if bytes[at + 1] == UInt8(ascii: "/") {
            while let byte, byte != UInt8(ascii: "\n") { at += 1 }
            return
        }
        guard bytes[at + 1] == UInt8(ascii: "*") else { throw problem("a lone `/`") }
        at += 2
        while at + 1 < bytes.count, bytes[at] != UInt8(ascii: "*") || bytes[at + 1] != UInt8(ascii: "/") {
            if bytes[at] == UInt8(ascii: "\n") { line += 1 }
            at += 1
        }
        guard at + 1 < bytes.count else { throw problem("a comment without its end") }
        at += 2
    }

    private mutating func value(_ depth: Int) throws -> DataNode {
        budget -= 1
        if budget < 0 { throw problem("more than \(DataNode.nodeLimit) values") }
        if depth > DataNode.depthLimit { throw problem("values are nested too deep") }
        let start = line
        switch byte {
        case UInt8(ascii: "{"):
            var entries: [(String, DataNode)] = []
            try items(until: UInt8(ascii: "}")) { reader in
                let line = reader.line
                guard reader.byte == UInt8(ascii: "\"") else { throw reader.problem("a key must be in quotes") }
                let key = try reader.string()
                try reader.space()
                guard reader.byte == UInt8(ascii: ":") else { throw reader.problem("a key without `:`") }
                reader.at += 1
                try reader.space()
                entries.append((key, DataNode(try reader.value(depth + 1).value, line: line)))
            }
            return DataNode(.map(entries), line: start)
        case UInt8(ascii: "["):
            var list: [DataNode] = []
            try items(until: UInt8(ascii: "]")) { list.append(try $0.value(depth + 1)) }
            return DataNode(.list(list), line: start)
        case UInt8(ascii: "\""): return DataNode(.text(try string()), line: start)
        default:
            let from = at
            while let byte, ByteSet.word.contains(byte) || [UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: ".")].contains(byte) { at += 1 }
            let word = String(decoding: bytes[from..<at], as: UTF8.self)
            if word.isEmpty { throw problem("a value is missing") }
            return DataNode(word == "null" ? .nothing : .text(word), line: start)
        }
    }

    private mutating func items(until end: UInt8, _ body: (inout JSONText) throws -> Void) throws {
        at += 1
        try space()
        while byte != end {
            if byte == nil { throw problem("it ends too early") }
            try body(&self)
            try space()
            if byte == UInt8(ascii: ",") { at += 1 } else if byte != end { throw problem("a `,` is missing") }
            try space()
        }
        at += 1
    }

    private mutating func string() throws -> String {
        at += 1
        var out: [UInt8] = []
        while let byte, byte != UInt8(ascii: "\"") {
            at += 1
            if byte == UInt8(ascii: "\n") { throw problem("a text without its end") }
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                continue
            }
            guard let letter = self.byte else { break }
            at += 1
            switch letter {
            case UInt8(ascii: "n"): out.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "t"): out.append(UInt8(ascii: "\t"))
            case UInt8(ascii: "r"): out.append(UInt8(ascii: "\r"))
            case UInt8(ascii: "b"), UInt8(ascii: "f"): out.append(UInt8(ascii: " "))
            case UInt8(ascii: "u"): out += try unicode()
            default: out.append(letter)
            }
        }
        guard byte != nil else { throw problem("a text without its end") }
        at += 1
        return String(decoding: out, as: UTF8.self)
    }

    private mutating func unicode() throws -> [UInt8] {
        func unit(_ at: Int) -> UInt32? {
            at + 4 <= bytes.count ? UInt32(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16) : nil
        }
        guard let high = unit(at) else { throw problem("`\\u` without four digits") }
        at += 4
        var code = high
        if (0xD800..<0xDC00).contains(high), at + 6 <= bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u"),
            let low = unit(at + 2), (0xDC00..<0xE000).contains(low)
        {
            code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            at += 6
        }
        return Array(String(Character(Unicode.Scalar(code) ?? "\u{FFFD}")).utf8)
    }
}
