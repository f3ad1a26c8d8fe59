import Trees

extension LicenseTerm {
    /// What a package declares, as a term of SPDX: names of its list where they are, else a licence of the package's own.
    init(_ declared: DeclaredLicense) {
        var parser = LicenseParser(declared)
        self = parser.term() ?? .own(OwnLicense(name: declared.expression, text: declared.text))
    }

    /// All of what a package declares holds; nil when it declares nothing.
    static func all(declared: [DeclaredLicense]) -> LicenseTerm? { declared.isEmpty ? nil : .all(of: declared.map { LicenseTerm($0) }) }
}

/// Reads `A and (B or C)`. What is not of that form is nil, and then one name as a whole.
private struct LicenseParser {
    private let declared: DeclaredLicense
    /// The last one first.
    private var words: [String] = []

    init(_ declared: DeclaredLicense) {
        self.declared = declared
        var text = declared.expression
        // As cargo had it before it had expressions; elsewhere a slash is a part of names.
        if declared.notation == .spdx { text = text.split(separator: "/").joined(separator: " OR ") }
        if declared.notation != .free { for mark in ["(", ")", ","] { text = text.replacing(mark, with: " \(mark) ") } }
        words = text.split(whereSeparator: \.isWhitespace).map(String.init).reversed()
    }

    mutating func term() -> LicenseTerm? {
        if let id = LicenseList.id(declared.expression, debian: declared.notation == .debian) { return .listed(id) }
        guard let term = choice(), words.isEmpty else { return nil }
        // A name in free words is split only where each part is known.
        return declared.notation == .free && !term.own.isEmpty ? nil : term
    }

    private mutating func choice() -> LicenseTerm? { joined("or", LicenseTerm.any(of:)) { $0.conjunction() } }
    private mutating func conjunction() -> LicenseTerm? { joined("and", LicenseTerm.all(of:)) { $0.one() } }

    private mutating func joined(_ word: String, _ make: ([LicenseTerm]) -> LicenseTerm, _ part: (inout LicenseParser) -> LicenseTerm?) -> LicenseTerm? {
        guard let first = part(&self) else { return nil }
        var terms = [first]
        while words.last?.lowercased() == word {
            words.removeLast()
            guard let next = part(&self) else { return nil }
            terms.append(next)
        }
        return make(terms)
    }

    private mutating func one() -> LicenseTerm? {
        if words.last == "(" {
            words.removeLast()
            guard let term = choice(), words.popLast() == ")" else { return nil }
            return term
        }
        var name: [String] = []
        while let word = words.last, !["and", "or", "(", ")", ","].contains(word.lowercased()) { name.append(words.removeLast()) }
        return name.isEmpty ? nil : named(name)
    }

    private func named(_ words: [String]) -> LicenseTerm? {
        let name = words.joined(separator: " ")
        let isDebian = declared.notation == .debian
        if let id = LicenseList.id(name, debian: isDebian) { return .listed(id) }
        if words.count == 3, words[1].lowercased() == "with", let id = LicenseList.id(words[0], debian: isDebian),
            let exception = LicenseList.exception(words[2])
        {
            return .listedWith(id, exception: exception)
        }
        // The text is that of the whole expression: it belongs to the part only where there is no other.
        return .own(OwnLicense(name: name, text: name == declared.expression ? declared.text : ""))
    }
}
