/// Makes a ``Pattern``'s program from its text.
struct PatternCompiler {
    private typealias Instruction = Pattern.Instruction

    /// A pattern's parts as a tree, before they are laid out.
    private indirect enum Part {
        case set(ByteSet)
        case assert(Pattern.Assertion)
        case sequence([Part])
        case choice([Part])
        case group(Int, Part)
        case many(Part, least: Int, most: Int?, isLazy: Bool)
    }

    private static let programLimit = 4000

    private let bytes: [UInt8]
    private var at = 0
    private var groups = 0
    private var ignoresCase = false
    private var program: [Pattern.Instruction] = []

    init(_ source: String) { bytes = Array(source.utf8) }

    mutating func compile() throws -> (program: [Pattern.Instruction], groups: Int) {
        if bytes.count > 1000 { throw PatternProblem(description: "longer than 1000 characters") }
        if bytes.starts(with: Array("(?i)".utf8)) { (ignoresCase, at) = (true, 4) }
        let part = try choice(depth: 0)
        if at < bytes.count { throw PatternProblem(description: "a `)` without its `(`") }
        program.append(.save(0))
        try lay(part)
        program += [.save(1), .match]
        return (program, groups)
    }

    // MARK: Reading

    private func peek(_ character: Unicode.Scalar) -> Bool { at < bytes.count && bytes[at] == UInt8(ascii: character) }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek(character) else { return false }
        at += 1
        return true
    }

    private mutating func choice(depth: Int) throws -> Part {
        if depth > 30 { throw PatternProblem(description: "groups more than 30 deep") }
        var parts = [try sequence(depth)]
        while take("|") { parts.append(try sequence(depth)) }
        return parts.count == 1 ? parts[0] : .choice(parts)
    }

    private mutating func sequence(_ depth: Int) throws -> Part {
        var parts: [Part] = []
        while at < bytes.count, !peek("|"), !peek(")") { parts.append(try repeated(try atom(depth))) }
        return .sequence(parts)
    }

    private mutating func repeated(_ part: Part) throws -> Part {
        var least: Int
        var most: Int?
        if take("*") {
            (least, most) = (0, nil)
        } else if take("+") {
            (least, most) = (1, nil)
        } else if take("?") {
            (least, most) = (0, 1)
        } else if peek("{"),
            let counts = counts()
        {
            (least, most) = counts
        } else {
            return part
        }
        if let most, most < least || most > 100 { throw PatternProblem(description: "a count that cannot be") }
        if least > 100 { throw PatternProblem(description: "a count of more than 100") }
        let isLazy = take("?")
        if peek("*") || peek("+") || peek("?") { throw PatternProblem(description: "a repetition of a repetition") }
        return .many(part, least: least, most: most, isLazy: isLazy)
    }

    /// `{2}`, `{2,}` and `{2,5}`; anything else is no count, and `{` itself.
    private mutating func counts() -> (Int, Int?)? {
        guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
        let text = String(decoding: bytes[(at + 1)..<end], as: UTF8.self)
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= 2, let least = parts.first.flatMap({ Int($0) }), least >= 0 else { return nil }
        var most: Int? = least
        if parts.count == 2 {
            most = Int(parts[1])
            if most == nil, !parts[1].isEmpty { return nil }
        }
        at = end + 1
        return (least, most)
    }

    private mutating func atom(_ depth: Int) throws -> Part {
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "("): return try group(depth)
        case UInt8(ascii: "["): return .set(try characterClass())
        case UInt8(ascii: "."): return .set(ByteSet([UInt8(ascii: "\n")]).inverted)
        case UInt8(ascii: "^"): return .assert(.start)
        case UInt8(ascii: "$"): return .assert(.end)
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw PatternProblem(description: "a repetition of nothing")
        case UInt8(ascii: "\\"): return try escape()
        case 0x80...:
            // A letter of several bytes is one part, so that a repetition is of the letter.
            var parts: [Part] = [.set(ByteSet([byte]))]
            while at < bytes.count, bytes[at] & 0xC0 == 0x80 {
                parts.append(.set(ByteSet([bytes[at]])))
                at += 1
            }
            return .sequence(parts)
        default: return .set(literal(byte))
        }
    }

    private func literal(_ byte: UInt8) -> ByteSet {
        var set = ByteSet([byte])
        if ignoresCase, (byte | 0x20) >= UInt8(ascii: "a"), (byte | 0x20) <= UInt8(ascii: "z") {
            set.insert(byte | 0x20)
            set.insert(byte & ~0x20)
        }
        return set
    }

    private mutating func group(_ depth: Int) throws -> Part {
        var number: Int?
        if take("?") {
            guard take(":") else { throw PatternProblem(description: "`(?` other than `(?:`: there is no look-around") }
        } else {
            groups += 1
            if groups > 20 { throw PatternProblem(description: "more than 20 groups") }
            number = groups
        }
        let inside = try choice(depth: depth + 1)
        guard take(")") else { throw PatternProblem(description: "a `(` without its `)`") }
        return number.map { .group($0, inside) } ?? inside
    }

    private mutating func escape() throws -> Part {
        guard at < bytes.count else { throw PatternProblem(description: "a `\\` at the end") }
        let byte = bytes[at]
        if byte == UInt8(ascii: "b") || byte == UInt8(ascii: "B") {
            at += 1
            return .assert(byte == UInt8(ascii: "b") ? .boundary : .noBoundary)
        }
        return .set(try escapedSet())
    }

    private mutating func escapedSet() throws -> ByteSet {
        guard at < bytes.count else { throw PatternProblem(description: "a `\\` at the end") }
        let byte = bytes[at]
        at += 1
        var digits = ByteSet()
        digits.insert(UInt8(ascii: "0")...UInt8(ascii: "9"))
        let spaces = ByteSet(" \t\r\n\u{0B}\u{0C}".utf8)
        switch byte {
        case UInt8(ascii: "d"): return digits
        case UInt8(ascii: "D"): return digits.inverted
        case UInt8(ascii: "w"): return .word
        case UInt8(ascii: "W"): return ByteSet.word.inverted
        case UInt8(ascii: "s"): return spaces
        case UInt8(ascii: "S"): return spaces.inverted
        case UInt8(ascii: "t"): return ByteSet("\t".utf8)
        case UInt8(ascii: "n"): return ByteSet("\n".utf8)
        case UInt8(ascii: "r"): return ByteSet("\r".utf8)
        case _ where ByteSet.word.contains(byte): throw PatternProblem(description: "`\\\(Character(Unicode.Scalar(byte)))` has no meaning here")
        default: return ByteSet([byte])
        }
    }

    private mutating func characterClass() throws -> ByteSet {
        var set = ByteSet()
        let isNegated = take("^")
        var isFirst = true
        while true {
            guard at < bytes.count else { throw PatternProblem(description: "a `[` without its `]`") }
            if !isFirst, take("]") { break }
            isFirst = false
            if take("\\") {
                set.formUnion(try escapedSet())
                continue
            }
            let low = bytes[at]
            at += 1
            if low >= 0x80 { throw PatternProblem(description: "a letter outside ASCII in `[…]`") }
            if peek("-"), at + 1 < bytes.count, bytes[at + 1] != UInt8(ascii: "]") {
                let high = bytes[at + 1]
                at += 2
                guard high >= low, high < 0x80, high != UInt8(ascii: "\\") else { throw PatternProblem(description: "a range that goes backwards") }
                for byte in low...high { set.formUnion(literal(byte)) }
            } else {
                set.formUnion(literal(low))
            }
        }
        return isNegated ? set.inverted : set
    }

    // MARK: Laying out

    private mutating func lay(_ part: Part) throws {
        if program.count > Self.programLimit { throw PatternProblem(description: "too many repetitions in repetitions") }
        switch part {
        case .set(let set): program.append(.set(set))
        case .assert(let assertion): program.append(.assert(assertion))
        case .sequence(let parts): for part in parts { try lay(part) }
        case .group(let number, let inside):
            program.append(.save(2 * number))
            try lay(inside)
            program.append(.save(2 * number + 1))
        case .choice(let parts):
            var ends: [Int] = []
            for (index, part) in parts.enumerated() {
                if index == parts.count - 1 {
                    try lay(part)
                    continue
                }
                let split = program.count
                program.append(.match)
                try lay(part)
                ends.append(program.count)
                program.append(.match)
                program[split] = .split(split + 1, program.count)
            }
            for end in ends { program[end] = .jump(program.count) }
        case .many(let inside, let least, let most, let isLazy):
            for _ in 0..<least { try lay(inside) }
            guard let most else {
                let split = program.count
                program.append(.match)
                try lay(inside)
                program.append(.jump(split))
                program[split] = isLazy ? .split(program.count, split + 1) : .split(split + 1, program.count)
                return
            }
            var splits: [Int] = []
            for _ in least..<max(least, most) {
                splits.append(program.count)
                program.append(.match)
                try lay(inside)
            }
            for split in splits { program[split] = isLazy ? .split(program.count, split + 1) : .split(split + 1, program.count) }
        }
    }
}
