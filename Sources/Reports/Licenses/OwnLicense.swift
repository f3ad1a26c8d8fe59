import ChunkStore

/// A licence that is on no list: known by the name that a package gives it, and its text.
struct OwnLicense: Hashable {
    let name: String
    /// Empty when the package brings none.
    let text: String

    /// `LicenseRef-` and letters, digits, `-` and `.`. Two licences of one name with different texts have different ones.
    var reference: String {
        var plain = ""
        for character in name.unicodeScalars {
            let isGood = character.isASCII && (character.properties.isAlphabetic || ("0"..."9").contains(character) || character == "." || character == "-")
            if isGood { plain.unicodeScalars.append(character) } else if !plain.isEmpty, plain.last != "-" { plain += "-" }
        }
        while plain.last == "-" { plain.removeLast() }
        if text.isEmpty, plain == name, !plain.isEmpty, plain.count <= 60 { return "LicenseRef-" + plain }
        return "LicenseRef-" + plain.prefix(48) + "-" + Self.shortDigest(name + "\u{0}" + text)
    }

    /// Eight hex digits that tell texts apart.
    static func shortDigest(_ text: String) -> String { String(Digest.of(Array(text.utf8)).hex.prefix(8)) }

    /// What stands for the text where one must stand.
    var extractedText: String { text.isEmpty ? "The package names this licence `\(name)` and brings no text of it." : text }
}
