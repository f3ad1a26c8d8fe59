/// Texts of which every match of a pattern has at least one in it, read from the pattern's own text; none where nothing can be said.
///
/// Looking for texts is many times faster than a pattern, and nearly every line of an output matches no rule.
struct RequiredLiteral {
    /// Shorter ones are everywhere.
    static let least = 3

    private let bytes: [UInt8]
    private var at = 0

    static func of(_ pattern: String) -> [[UInt8]] {
        if pattern.hasPrefix("(?i)") { return [] }
        var reader = RequiredLiteral(bytes: Array(pattern.utf8))
        return reader.choice()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func peek(_ character: Unicode.Scalar) -> Bool { at < bytes.count && bytes[at] == UInt8(ascii: character) }

    /// All alternatives must say something, or together they say nothing.
    private mutating func choice() -> [[UInt8]] {
        var all: [[UInt8]] = []
        var isKnown = true
        while true {
            let one = sequence()
            isKnown = isKnown && !one.isEmpty
            all += one
            guard peek("|") else { return isKnown ? all : [] }
            at += 1
        }
    }

    private mutating func sequence() -> [[UInt8]] {
        var best: [[UInt8]] = []
        var run: [UInt8] = []
        func offer(_ texts: [[UInt8]]) {
            let (length, known) = (texts.map(\.count).min() ?? 0, best.map(\.count).min() ?? 0)
            if length >= Self.least, (length, -texts.count) > (known, -best.count) { best = texts }
        }
        func end() {
            offer([run])
            run = []
        }
        while at < bytes.count, !peek("|"), !peek(")") {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "("):
                end()
                if peek("?") { at += 2 }
                let inside = choice()
                at += 1
                if !isOptional() { offer(inside) }
            case UInt8(ascii: "["):
                end()
                skipClass()
            case UInt8(ascii: "?"), UInt8(ascii: "*"), UInt8(ascii: "{"):
                // What is repeated may be there no time at all.
                if !run.isEmpty { run.removeLast() }
                end()
                if byte == UInt8(ascii: "{") { while at < bytes.count, bytes[at - 1] != UInt8(ascii: "}") { at += 1 } }
            case UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "$"), UInt8(ascii: "+"): end()
            case UInt8(ascii: "\\") where at < bytes.count:
                let next = bytes[at]
                at += 1
                if ByteSet.word.contains(next) { end() } else { run.append(next) }
            default: if byte < 0x80 { run.append(byte) } else { end() }
            }
        }
        end()
        return best
    }

    private func isOptional() -> Bool { peek("?") || peek("*") || peek("{") }

    private mutating func skipClass() {
        if peek("^") { at += 1 }
        var isFirst = true
        while at < bytes.count, isFirst || !peek("]") {
            at += peek("\\") ? 2 : 1
            isFirst = false
        }
        at += 1
    }
}
