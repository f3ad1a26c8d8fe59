import Foundation

/// Takes secrets out of a stream of bytes, whatever pieces it comes in: as they are, and in base64, percent and hexadecimal coding.
///
/// Line breaks do not count, so that one that is wrapped is found too. What may be the beginning of a secret is held back until more comes.
package struct Redactor {
    private static let mark = Array("***".utf8)

    /// By first byte, the longest first.
    private let patterns: [UInt8: [[UInt8]]]
    private let longest: Int
    private var held: [UInt8] = []

    package init(_ secrets: some Sequence<[UInt8]>) {
        var all: Set<[UInt8]> = []
        for secret in secrets {
            for text in Self.spellings(secret) where text.count >= BuildSecrets.shortest { all.insert(text.filter { $0 != 10 && $0 != 13 }) }
        }
        patterns = Dictionary(grouping: all.filter { !$0.isEmpty }) { $0[0] }.mapValues { $0.sorted { $0.count > $1.count } }
        longest = all.map(\.count).max() ?? 0
    }

    private static func spellings(_ secret: [UInt8]) -> [[UInt8]] {
        var plain = secret
        while let last = plain.last, last == 10 || last == 13 || last == 32 { plain.removeLast() }
        var out = [plain]
        // A line of a key is as good as the key.
        let lines = plain.split(separator: 10).map(Array.init)
        if lines.count > 1 { out += lines.filter { $0.count >= 16 && !$0.starts(with: Array("-----".utf8)) } }
        // Within something longer it begins at any of three places of base64's groups; the letters at its ends mix with what is beside it.
        for whole in plain == secret ? [plain] : [plain, secret] {
            for lead in 0..<3 {
                let coded = Array(Data([UInt8](repeating: 0, count: lead) + whole).base64EncodedString().utf8)
                let first = lead == 0 ? 0 : lead + 1
                let end = (lead + whole.count) * 8 / 6
                let inner = Array(coded[first..<max(first, end)])
                out.append(inner)
                out.append(inner.map { $0 == 43 ? 45 : $0 == 47 ? 95 : $0 })
            }
        }
        let digits = Array("0123456789abcdef".utf8)
        let hex = plain.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        out += [hex, hex.map { $0 > 96 ? $0 - 32 : $0 }]
        let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        out.append(plain.flatMap { unreserved.contains($0) ? [$0] : Array(String(format: "%%%02X", $0).utf8) })
        return out
    }

    /// What of the stream so far can be shown.
    package mutating func take(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        held += bytes
        return pass(isEnd: false)
    }

    /// The rest of the stream.
    package mutating func finish() -> [UInt8] { pass(isEnd: true) }

    private mutating func pass(isEnd: Bool) -> [UInt8] {
        if patterns.isEmpty {
            defer { held = [] }
            return held
        }
        var out: [UInt8] = []
        out.reserveCapacity(held.count)
        var index = 0
        scan: while index < held.count {
            for pattern in patterns[held[index]] ?? [] {
                switch match(pattern, at: index) {
                case .whole(let end):
                    out += Self.mark
                    // Breaks within stay, so that lines are still lines.
                    out += held[index..<end].filter { $0 == 10 }
                    index = end
                    continue scan
                case .beginning where !isEnd: break scan
                case .beginning, .none: continue
                }
            }
            out.append(held[index])
            index += 1
        }
        held.removeFirst(index)
        return out
    }

    private enum Match {
        case none, beginning
        case whole(end: Int)
    }

    private func match(_ pattern: [UInt8], at start: Int) -> Match {
        var index = start
        var matched = 0
        while matched < pattern.count {
            if index == held.count { return .beginning }
            if held[index] == pattern[matched] {
                matched += 1
            } else if held[index] != 10 && held[index] != 13 || matched == 0 {
                return .none
            }
            index += 1
        }
        return .whole(end: index)
    }
}
