import Foundation

/// What a registry asks for in `WWW-Authenticate`: https://distribution.github.io/distribution/spec/auth/token/, RFC 9110 section 11.
struct Challenge: Equatable {
    /// In small letters: `basic`, `bearer`.
    var scheme: String
    var parameters: [String: String]

    /// The challenges of a header, which may hold several.
    static func parse(_ header: String) -> [Challenge] {
        var found: [Challenge] = []
        var rest = Substring(header)
        func skip(_ characters: String) { while let first = rest.first, characters.contains(first) { rest.removeFirst() } }
        func word() -> String {
            let word = rest.prefix { $0.isLetter || $0.isNumber || "-_.~+/!#$%&'*^|".contains($0) }
            rest = rest[word.endIndex...]
            return String(word)
        }
        while true {
            skip(" \t,")
            let name = word()
            if name.isEmpty { return found }
            guard rest.first == "=" else {
                found.append(Challenge(scheme: name.lowercased(), parameters: [:]))
                continue
            }
            rest.removeFirst()
            var value = ""
            if rest.first == "\"" {
                rest.removeFirst()
                while let character = rest.popFirst(), character != "\"" { value.append(character == "\\" ? rest.popFirst() ?? "\\" : character) }
            } else {
                value = word()
            }
            if !found.isEmpty { found[found.count - 1].parameters[name.lowercased()] = value }
        }
    }
}
