/// How one value is written: without quotes where every reader of YAML takes it for this very text.
package enum ScalarText {
    /// - Parameter wasPlain: it stood there without quotes, so what it reads like is what was meant.
    package static func canBePlain(_ text: String, isFlow: Bool, wasPlain: Bool) -> Bool {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return false }
        let scalars = Array(text.unicodeScalars)
        if first == " " || last == " " || last == ":" || scalars.contains(where: { $0.value < 32 || $0.value == 0x7F || $0 == "\u{FEFF}" }) { return false }
        if "!&*|>%@`\"'#,[]{}".unicodeScalars.contains(first) { return false }
        if "-?:".unicodeScalars.contains(first), scalars.count == 1 || scalars[1] == " " || isFlow { return false }
        if text.contains(": ") || text.contains(" #") || text.hasPrefix("---") || text.hasPrefix("...") { return false }
        if isFlow, text.unicodeScalars.contains(where: { ",[]{}".unicodeScalars.contains($0) }) || text.contains(":") && !wasPlain && text.contains(":,") {
            return false
        }
        return wasPlain || !readsAsOther(text)
    }

    /// Numbers, switches, dates and nothing, as YAML 1.1 or 1.2 has them.
    private static func readsAsOther(_ text: String) -> Bool {
        let words: Set = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "=", ".nan", ".inf", "-.inf", "+.inf"]
        if words.contains(text.lowercased()) { return true }
        if text.wholeMatch(of: /[-+]?[0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?([eE][-+]?[0-9]+)?/) != nil { return true }
        if text.wholeMatch(of: /[-+]?\.[0-9_]+([eE][-+]?[0-9]+)?/) != nil { return true }
        if text.wholeMatch(of: /[-+]?0[xob][0-9a-fA-F_]+/) != nil { return true }
        return text.wholeMatch(of: /[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*/) != nil
    }

    /// In double quotes; in single ones where those need no escapes and double ones do.
    package static func quoted(_ text: String) -> String {
        let isPrintable = !text.unicodeScalars.contains {
            $0.value < 32 || $0.value == 0x7F || $0 == "\u{FEFF}" || $0 == "\u{85}" || $0 == "\u{2028}" || $0 == "\u{2029}"
        }
        if isPrintable, text.contains("\"") || text.contains("\\"), !text.contains("'") { return "'\(text)'" }
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case _
            where scalar.value < 32 || scalar.value == 0x7F || scalar.value == 0x85 || scalar.value == 0xFEFF || (0x2028...0x2029).contains(scalar.value):
                let hex = String(scalar.value, radix: 16, uppercase: true)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
