/// The licences that a Debian package's copyright file names, if the file is one that programs can read.
///
/// Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
enum DebianCopyright {
    /// One for each licence name that any of the package's files is under, in the order of the names. Empty for files in free form.
    static func licenses(_ bytes: [UInt8]) -> [DeclaredLicense] {
        let paragraphs = ControlParagraph.read(bytes, only: ["format", "format-specification", "files", "license"])
        guard let head = paragraphs.first, (head["format"] ?? head["format-specification"])?.contains("copyright-format") == true else { return [] }
        var names: Set<String> = []
        var texts: [String: String] = [:]
        for paragraph in paragraphs {
            guard let license = paragraph["license"] else { continue }
            let lines = license.split(separator: "\n", omittingEmptySubsequences: false)
            let name = (lines.first.map { $0.trimmed } ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
            if name.isEmpty { continue }
            if paragraph["files"] != nil { names.insert(name) }
            let text = lines.dropFirst().map(unfolded).joined(separator: "\n").trimmed
            if !text.isEmpty, texts[name] == nil { texts[name] = text }
        }
        return names.sorted().map { DeclaredLicense($0, .debian, text: texts[$0] ?? "") }
    }

    /// A line as it was before it was put into the field: one space less, and ` .` for an empty one.
    private static func unfolded(_ line: Substring) -> String {
        let rest = line.dropFirst()
        return rest.trimmed == "." ? "" : String(rest)
    }
}
