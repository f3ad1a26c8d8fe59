/// A path pattern: `*`, `?` and `[a-z]` inside a name, `**` for any number of folders, `\` before a letter taken as it is.
///
/// One matcher for `.gitignore` lines and for `inputs`; the rules are gitignore(5)'s.
package struct GlobPattern: Sendable {
    private enum Part: Sendable {
        case anything
        case literal([UInt8])
        case wild([UInt8])
    }

    private let parts: [Part]

    package init(_ pattern: some StringProtocol) {
        parts = pattern.split(separator: "/").filter { $0 != "." }.map { name in
            let bytes = Array(name.utf8)
            if bytes == Array("**".utf8) { return .anything }
            return bytes.contains { "*?[\\".utf8.contains($0) } ? .wild(bytes) : .literal(bytes)
        }
    }

    /// Why this is no pattern; nil when it is.
    package static func problem(_ pattern: String) -> String? {
        if pattern.contains("{") || pattern.contains("}") { return "`{a,b}` is not understood; write two inputs" }
        let open = pattern.contains("[")
        let close = pattern.contains("]")
        return open != close ? "`[` and `]` do not match" : nil
    }

    /// `.`: the folder itself, so everything in it.
    var isRoot: Bool { parts.isEmpty }

    /// No wildcard in it: the name of one file or folder.
    package var isLiteral: Bool {
        parts.allSatisfy { if case .literal = $0 { true } else { false } }
    }

    /// Whether the pattern is the whole of `path` (names from the root).
    package func matches(_ path: ArraySlice<[UInt8]>) -> Bool { Self.match(parts[...], path) }

    /// Whether the pattern is `path` or a folder above it: what a folder's name selects.
    package func selects(_ path: [[UInt8]]) -> Bool {
        (1...max(1, path.count)).contains { matches(path.prefix($0)) }
    }

    private static func match(_ parts: ArraySlice<Part>, _ path: ArraySlice<[UInt8]>) -> Bool {
        guard let first = parts.first else { return path.isEmpty }
        if case .anything = first {
            let rest = parts.dropFirst()
            // At the end `**` means everything inside, so at least one name.
            if rest.isEmpty { return !path.isEmpty }
            return path.indices.contains { match(rest, path[$0...]) }
        }
        guard let name = path.first else { return false }
        switch first {
        case .literal(let word): if word != name { return false }
        case .wild(let pattern): if !wild(pattern, name) { return false }
        case .anything: return false
        }
        return match(parts.dropFirst(), path.dropFirst())
    }

    /// One name against one pattern, with a single point to come back to: linear but for the stars.
    static func wild(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var p = 0
        var n = 0
        var star: (p: Int, n: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, n)
                p += 1
                continue
            }
            if p < pattern.count, let next = one(pattern, p, name[n]) {
                p = next
                n += 1
                continue
            }
            guard let back = star else { return false }
            star = (back.p, back.n + 1)
            p = back.p + 1
            n = back.n + 1
        }
        while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
        return p == pattern.count
    }

    /// The pattern's next position if what is at `p` takes `byte`.
    private static func one(_ pattern: [UInt8], _ p: Int, _ byte: UInt8) -> Int? {
        switch pattern[p] {
        case UInt8(ascii: "?"): return p + 1
        case UInt8(ascii: "\\"):
            guard p + 1 < pattern.count else { return nil }
            return pattern[p + 1] == byte ? p + 2 : nil
        case UInt8(ascii: "["): return set(pattern, p, byte)
        default: return pattern[p] == byte ? p + 1 : nil
        }
    }

    private static func set(_ pattern: [UInt8], _ p: Int, _ byte: UInt8) -> Int? {
        var i = p + 1
        var isNegated = false
        if i < pattern.count, pattern[i] == UInt8(ascii: "!") || pattern[i] == UInt8(ascii: "^") {
            isNegated = true
            i += 1
        }
        var isIn = false
        var isFirst = true
        while i < pattern.count, isFirst || pattern[i] != UInt8(ascii: "]") {
            isFirst = false
            if pattern[i] == UInt8(ascii: "\\"), i + 1 < pattern.count { i += 1 }
            let low = pattern[i]
            if i + 2 < pattern.count, pattern[i + 1] == UInt8(ascii: "-"), pattern[i + 2] != UInt8(ascii: "]") {
                if low <= byte, byte <= pattern[i + 2] { isIn = true }
                i += 3
            } else {
                if low == byte { isIn = true }
                i += 1
            }
        }
        guard i < pattern.count else { return nil }
        return isIn != isNegated ? i + 1 : nil
    }
}
