import Recipes

/// A value that goes into a recipe, and how it is written.
indirect enum RecipeValue {
    case scalar(String)
    /// A shell's text, in which `$` is the shell's.
    case script(String)
    case list([RecipeValue])
    case map([(String, RecipeValue)])

    /// `  # autoinstall: why`.
    static func comment(_ why: String) -> String {
        let clean = Evidence.shown(String(String.UnicodeScalarView(why.unicodeScalars.filter { !(0xF000...0xF8FF).contains($0.value) })))
        return clean.isEmpty ? "" : "  # \(clean)"
    }

    /// In one line.
    var flow: String {
        switch self {
        case .scalar(let text): Self.word(text.replacing("$", with: "$$"), isFlow: true)
        case .script(let text): Self.word(text, isFlow: true)
        case .list(let items): "[\(items.map(\.flow).joined(separator: ", "))]"
        case .map(let entries): "{ \(entries.map { "\($0.0): \($0.1.flow)" }.joined(separator: ", ")) }"
        }
    }

    private static func word(_ text: String, isFlow: Bool) -> String {
        let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
        return isASCII && !text.contains("\t") && ScalarText.canBePlain(text, isFlow: isFlow, wasPlain: false) ? text : ScalarText.quoted(text)
    }

    /// `key: value` in lines of its own.
    ///
    /// - Parameter lead: what stands before the key, where it is not spaces alone: the dash of an item.
    func entry(_ key: String, indent: Int, why: String, lead: String? = nil) -> [String] {
        let pad = lead ?? String(repeating: " ", count: indent)
        let comment = Self.comment(why)
        switch self {
        case .scalar(let text): return ["\(pad)\(key): \(Self.word(text.replacing("$", with: "$$"), isFlow: false))\(comment)"]
        case .script(let text):
            guard let body = Self.block(text) else { return ["\(pad)\(key): \(Self.word(text, isFlow: false))\(comment)"] }
            let deeper = String(repeating: " ", count: indent + 2)
            return ["\(pad)\(key): |\(comment)"] + body.map { $0.isEmpty ? "" : deeper + $0 }
        case .list(let items) where items.isEmpty: return ["\(pad)\(key): []\(comment)"]
        case .list(let items): return ["\(pad)\(key):"] + items.flatMap { $0.item(indent: indent + 2, why: why) }
        case .map(let entries):
            // The reason stands where the change is.
            return ["\(pad)\(key):"] + entries.enumerated().flatMap { $1.1.entry($1.0, indent: indent + 2, why: $0 == 0 ? why : "") }
        }
    }

    /// `- value` in lines of its own.
    func item(indent: Int, why: String) -> [String] {
        let pad = String(repeating: " ", count: indent)
        guard case .map(let entries) = self else { return ["\(pad)- \(flow)\(Self.comment(why))"] }
        return entries.enumerated().flatMap { number, entry in
            entry.1.entry(entry.0, indent: indent + 2, why: number == 0 ? why : "", lead: number == 0 ? pad + "- " : nil)
        }
    }

    /// A script's lines for a block; nil where a block would not keep it, or is not worth it.
    private static func block(_ text: String) -> [String]? {
        let isOdd = text.unicodeScalars.contains {
            ($0.value < 0x20 && $0 != "\n") || $0.value == 0x7F || $0.value == 0x85 || (0x2028...0x2029).contains($0.value)
        }
        var body = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while body.last?.trimmingSpaces.isEmpty == true { body.removeLast() }
        return isOdd || body.count < 2 || body.first?.isEmpty != false || body.first?.first?.isWhitespace == true ? nil : body
    }
}
