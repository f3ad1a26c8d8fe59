/// A regular expression that is matched in time linear in the text, whatever its author had in mind.
///
/// Ecosystems are data, and a repository may bring its own: an engine that goes back and tries again could be kept busy for years by one line.
/// This one follows all ways at once (Pike's machine; Cox, "Regular Expression Matching: the Virtual Machine Approach").
///
/// It has literals, `.`, classes, `\d \w \s \b` and their opposites, groups, `|`, `* + ? {n,m}` and their lazy forms, `^ $`, and `(?i)` at the beginning.
/// It has no look-around and no back-references. What it is matched with is one line's bytes.
public struct Pattern: Hashable, Sendable {
    public let source: String
    private let program: [Instruction]
    private let groups: Int
    /// What a match can begin with; nil: anything.
    private let first: ByteSet?
    /// It begins with `^`.
    private let isAnchored: Bool

    enum Instruction: Hashable, Sendable {
        case set(ByteSet)
        case split(Int, Int)
        case jump(Int)
        case save(Int)
        case assert(Assertion)
        case match
    }

    enum Assertion: Hashable, Sendable { case start, end, boundary, noBoundary }

    /// - Throws: ``PatternProblem``.
    public init(_ source: String) throws {
        self.source = source
        var compiler = PatternCompiler(source)
        (program, groups) = try compiler.compile()
        first = Self.beginnings(program)
        isAnchored = program.count > 1 && program[1] == .assert(.start)
    }

    /// One that stands in this program's own text.
    init(known source: StaticString) {
        do { try self.init("\(source)") } catch { preconditionFailure("the pattern \(source) is none: \(error)") }
    }

    private static func beginnings(_ program: [Instruction]) -> ByteSet? {
        var set = ByteSet()
        var seen: Set<Int> = []
        var open = [0]
        while let at = open.popLast() {
            guard seen.insert(at).inserted else { continue }
            switch program[at] {
            case .set(let own): set.formUnion(own)
            case .split(let a, let b): open += [a, b]
            case .jump(let to): open.append(to)
            case .save, .assert: open.append(at + 1)
            case .match: return nil
            }
        }
        return set
    }

    /// Whether it is found anywhere in the line.
    public func isFound(in text: some StringProtocol) -> Bool { firstMatch(text) != nil }

    /// The first match in one line: the whole, then each group, nil for one that took no part.
    public func firstMatch(_ text: some StringProtocol) -> [String?]? {
        let bytes = Array(text.utf8)
        return firstMatch(in: bytes, 0..<bytes.count, from: 0)?.map { $0.map { String(decoding: bytes[$0], as: UTF8.self) } }
    }

    private struct Threads {
        var list: [(at: Int, saved: [Int])] = []
        var seen: [Bool]
        init(_ count: Int) { seen = Array(repeating: false, count: count) }
        mutating func clear() {
            list.removeAll(keepingCapacity: true)
            for index in seen.indices { seen[index] = false }
        }
    }

    /// - Parameter line: the range of `bytes` that is the text; `^` and `$` are its ends.
    func firstMatch(in bytes: [UInt8], _ line: Range<Int>, from: Int) -> [Range<Int>?]? {
        var position = from
        if isAnchored, position > line.lowerBound { return nil }
        if let first {
            // Most lines have nothing that it could begin with, and need no threads.
            let end = isAnchored ? min(line.upperBound, line.lowerBound + 1) : line.upperBound
            while position < end, !first.contains(bytes[position]) { position += 1 }
            if position >= end { return nil }
        }
        var now = Threads(program.count)
        var next = Threads(program.count)
        var found: [Int]?
        while position <= line.upperBound {
            if now.list.isEmpty {
                if found != nil || isAnchored && position > line.lowerBound { break }
                if let first {
                    while position < line.upperBound, !first.contains(bytes[position]) { position += 1 }
                    if position == line.upperBound { return nil }
                }
            }
            if found == nil { add(0, Array(repeating: -1, count: 2 * (groups + 1)), position, bytes, line, &now) }
            next.clear()
            for thread in now.list {
                if case .match = program[thread.at] {
                    found = thread.saved
                    // Those after it are of lower rank.
                    break
                }
                if case .set(let set) = program[thread.at], position < line.upperBound, set.contains(bytes[position]) {
                    add(thread.at + 1, thread.saved, position + 1, bytes, line, &next)
                }
            }
            swap(&now, &next)
            position += 1
        }
        guard let found else { return nil }
        return (0...groups).map { found[2 * $0] >= 0 && found[2 * $0 + 1] >= found[2 * $0] ? found[2 * $0]..<found[2 * $0 + 1] : nil }
    }

    private func add(_ start: Int, _ saved: [Int], _ position: Int, _ bytes: [UInt8], _ line: Range<Int>, _ threads: inout Threads) {
        var open = [(start, saved)]
        while let (at, saved) = open.popLast() {
            if threads.seen[at] { continue }
            threads.seen[at] = true
            switch program[at] {
            case .jump(let to): open.append((to, saved))
            case .split(let a, let b): open += [(b, saved), (a, saved)]
            case .save(let slot):
                var saved = saved
                saved[slot] = position
                open.append((at + 1, saved))
            case .assert(let assertion): if holds(assertion, position, bytes, line) { open.append((at + 1, saved)) }
            case .set, .match: threads.list.append((at, saved))
            }
        }
    }

    private func holds(_ assertion: Assertion, _ position: Int, _ bytes: [UInt8], _ line: Range<Int>) -> Bool {
        func isWord(_ at: Int) -> Bool { line.contains(at) && ByteSet.word.contains(bytes[at]) }
        return switch assertion {
        case .start: position == line.lowerBound
        case .end: position == line.upperBound
        case .boundary: isWord(position - 1) != isWord(position)
        case .noBoundary: isWord(position - 1) == isWord(position)
        }
    }
}

/// Why a text is no ``Pattern``.
public struct PatternProblem: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// A set of bytes.
struct ByteSet: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    static let word: ByteSet = {
        var set = ByteSet()
        for range in [UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9")] { set.insert(range) }
        set.insert(UInt8(ascii: "_"))
        return set
    }()

    init() {}
    init(_ bytes: some Sequence<UInt8>) { for byte in bytes { insert(byte) } }

    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << UInt64(byte & 63)
        return switch byte >> 6 {
        case 0: words.0 & bit != 0
        case 1: words.1 & bit != 0
        case 2: words.2 & bit != 0
        default: words.3 & bit != 0
        }
    }

    mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    mutating func insert(_ range: ClosedRange<UInt8>) { for byte in range { insert(byte) } }

    mutating func formUnion(_ other: ByteSet) {
        words = (words.0 | other.words.0, words.1 | other.words.1, words.2 | other.words.2, words.3 | other.words.3)
    }

    var inverted: ByteSet {
        var set = ByteSet()
        set.words = (~words.0, ~words.1, ~words.2, ~words.3)
        return set
    }

    static func == (a: ByteSet, b: ByteSet) -> Bool { a.words == b.words }

    func hash(into hasher: inout Hasher) {
        for word in [words.0, words.1, words.2, words.3] { hasher.combine(word) }
    }
}
