/// Finds in one pass which rules may have something to say of which parts of an output: by three bytes of their literals.
struct LiteralIndex: Sendable {
    private struct Entry: Sendable {
        let literal: [UInt8]
        let rule: Int
    }

    private var entries: [Int: [Entry]] = [:]
    /// A bit for each place that has entries: nearly every byte of an output is passed over by it alone.
    private var marks = [UInt64](repeating: 0, count: 1024)
    /// Rules that must look at everything.
    private(set) var always: [Int] = []

    init(_ literals: [[[UInt8]]]) {
        for (rule, texts) in literals.enumerated() {
            if texts.isEmpty { always.append(rule) }
            for text in texts where text.count >= RequiredLiteral.least {
                let place = Self.place(text[0], text[1], text[2])
                marks[place >> 6] |= 1 << UInt64(place & 63)
                entries[place, default: []].append(Entry(literal: text, rule: rule))
            }
        }
    }

    private static func place(_ a: UInt8, _ b: UInt8, _ c: UInt8) -> Int { (Int(a) &* 961 ^ Int(b) &* 31 ^ Int(c)) & 0xFFFF }

    /// For each rule the numbers of the parts that have one of its literals, in their order.
    func candidates(_ bytes: [UInt8], _ parts: [OutputText.Part], rules: Int) -> [[Int]] {
        var found = [[Int]](repeating: [], count: rules)
        for rule in always { found[rule] = Array(parts.indices) }
        bytes.withUnsafeBufferPointer { bytes in
            marks.withUnsafeBufferPointer { marks in
                for (number, part) in parts.enumerated() where part.range.count >= RequiredLiteral.least {
                    for at in part.range.lowerBound..<(part.range.upperBound - 2) {
                        let place = Self.place(bytes[at], bytes[at + 1], bytes[at + 2])
                        if marks[place >> 6] & (1 << UInt64(place & 63)) == 0 { continue }
                        for entry in entries[place] ?? [] where found[entry.rule].last != number {
                            if bytes[at..<part.range.upperBound].starts(with: entry.literal) { found[entry.rule].append(number) }
                        }
                    }
                }
            }
        }
        return found
    }
}
