/// What a command printed, as rules look at it: without colours, with plain quotes, in lines and in paragraphs.
struct OutputText: Sendable {
    /// In longer output the beginning and the end are looked at: what a build began with, and what it ended with.
    private static let headLimit = 1 << 20
    private static let tailLimit = 3 << 20
    /// Longer lines were written by no tool for a person.
    private static let lineLimit = 4000

    struct Part: Sendable {
        let range: Range<Int>
        /// Of the output, from 1.
        let line: Int
    }

    let lineBytes: [UInt8]
    let lines: [Part]
    /// A line with the indented ones that follow, joined by single spaces: tools wrap their sentences, and set names apart by an empty line.
    let paragraphBytes: [UInt8]
    let paragraphs: [Part]

    init(_ output: String) {
        let bytes = Array(output.utf8)
        let whole = Self.headLimit + Self.tailLimit
        let text = Self.plain(bytes.count > whole ? Array(bytes.prefix(Self.headLimit)) + [0x0A] + bytes.suffix(Self.tailLimit) : bytes)
        var parts: [Part] = []
        var start = 0
        for (number, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if !line.isEmpty, line.count <= Self.lineLimit { parts.append(Part(range: start..<(start + line.count), line: number + 1)) }
            start += line.count + 1
        }
        (lineBytes, lines) = (text, parts)
        (paragraphBytes, paragraphs) = Self.join(lineBytes, self.lines)
    }

    /// The last lines for a reader, each cut where it is longer than a page is wide.
    static func shown(_ output: String, last count: Int) -> [String] {
        let text = String(decoding: plain(Array(output.utf8.suffix(64 << 10))), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).suffix(count).map { String($0.prefix(400)) }
    }

    private static func join(_ bytes: [UInt8], _ lines: [Part]) -> ([UInt8], [Part]) {
        var out: [UInt8] = []
        var parts: [Part] = []
        var at = 0
        while at < lines.count {
            var end = at + 1
            while end < lines.count, lines[end].line <= lines[end - 1].line + 2, bytes[lines[end].range.lowerBound] == 0x20 { end += 1 }
            if end > at + 1 {
                let start = out.count
                for line in lines[at..<end] where out.count - start < lineLimit {
                    if out.count > start { out.append(0x20) }
                    out += bytes[line.range].drop { $0 == 0x20 }
                }
                parts.append(Part(range: start..<out.count, line: lines[at].line))
                out.append(0x0A)
            }
            at = end
        }
        return (out, parts)
    }

    /// Without what colours the screen; what was written over is a line of its own; quotes are those of ASCII.
    private static func plain(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if let end = bytes.endOfControlSequence(at: at) {
                at = end
                continue
            }
            let byte = bytes[at]
            if byte == 0xE2, at + 2 < bytes.count, bytes[at + 1] == 0x80, (0x98...0x9D).contains(bytes[at + 2]) {
                out.append(bytes[at + 2] < 0x9C ? UInt8(ascii: "'") : UInt8(ascii: "\""))
                at += 2
            } else if byte == 0x0D {
                if at + 1 == bytes.count || bytes[at + 1] != 0x0A { out.append(0x0A) }
            } else {
                out.append(byte)
            }
            at += 1
        }
        return out
    }
}
