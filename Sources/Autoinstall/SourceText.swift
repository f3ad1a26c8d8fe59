/// A text file of the repository, by lines. Bytes that are no UTF-8 are kept and shown as `�`.
public struct SourceText: Sendable {
    /// Longer lines were not written by hand, and are not looked into.
    private static let lineLimit = 4000

    /// From the repository's root.
    public let path: String
    let bytes: [UInt8]
    private let lines: [Range<Int>]

    public init(path: String, bytes: [UInt8]) {
        (self.path, self.bytes) = (path, bytes)
        var lines: [Range<Int>] = []
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            lines.append(start..<(index > start && bytes[index - 1] == UInt8(ascii: "\r") ? index - 1 : index))
            start = index + 1
        }
        if start < bytes.count { lines.append(start..<bytes.count) }
        self.lines = lines
    }

    init(path: String, text: String) { self.init(path: path, bytes: Array(text.utf8)) }

    public var text: String { String(decoding: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...], as: UTF8.self) }

    public var lineCount: Int { lines.count }

    /// - Parameter number: from 1.
    public func line(_ number: Int) -> String {
        guard lines.indices.contains(number - 1) else { return "" }
        return String(decoding: bytes[lines[number - 1]].prefix(Self.lineLimit), as: UTF8.self)
    }

    public func evidence(_ line: Int) -> Evidence { Evidence(file: path, line: line, text: self.line(line)) }

    public var evidence: Evidence { Evidence(file: path) }

    struct Match: Sendable {
        /// From 1.
        let line: Int
        /// The whole, then each group; empty where a group took no part.
        let groups: [String]
    }

    /// Every match, line by line, several on a line too.
    func matches(_ pattern: Pattern, in range: ClosedRange<Int>? = nil, limit: Int = 500) -> [Match] {
        var out: [Match] = []
        for (index, line) in lines.enumerated() where range?.contains(index + 1) != false && line.count <= Self.lineLimit {
            var from = line.lowerBound
            while from <= line.upperBound, out.count < limit, let match = pattern.firstMatch(in: bytes, line, from: from) {
                out.append(Match(line: index + 1, groups: match.map { $0.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "" }))
                guard let whole = match[0] else { break }
                from = max(whole.upperBound, whole.lowerBound + 1)
            }
        }
        return out
    }
}

extension [UInt8] {
    /// Where the terminal's control sequence (ECMA-48, `ESC [ …`) that begins at `start` is over; nil when none begins there.
    func endOfControlSequence(at start: Int) -> Int? {
        guard self[start] == 0x1B, start + 1 < count, self[start + 1] == UInt8(ascii: "[") else { return nil }
        var at = start + 2
        while at < count, !(0x40...0x7E).contains(self[at]) { at += 1 }
        return at + 1
    }
}
