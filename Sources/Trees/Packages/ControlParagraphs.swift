/// Paragraphs of `Name: value` fields, as in dpkg's status file, in copyright files and, of one paragraph, in Python's METADATA.
///
/// Source: deb822(5); RFC 822 has the same lines. Names count without case. What is no field is passed over: these are files of a disk that anybody may have
/// written, and one odd line must not hide the rest.
struct ControlParagraph: Sendable {
    /// In the order of the file; a name may come again, as `Classifier` does.
    private(set) var fields: [(name: String, value: String)] = []

    /// The first field of that name.
    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// Reads paragraphs, which empty lines part.
    ///
    /// - Parameter names: in small letters, the fields that are wanted; the others are not kept.
    static func read(_ bytes: some Collection<UInt8>, only names: Set<String>) -> [ControlParagraph] {
        var paragraphs: [ControlParagraph] = []
        var current = ControlParagraph()
        var isWanted = false
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            if line.allSatisfy(isSpace) {
                if !current.fields.isEmpty { paragraphs.append(current) }
                (current, isWanted) = (ControlParagraph(), false)
            } else if let first = line.first, isSpace(first) {
                if isWanted { current.fields[current.fields.count - 1].value += "\n" + String(decoding: line, as: UTF8.self).trimmedEnd }
            } else if let colon = line.firstIndex(of: 0x3A) {
                let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
                isWanted = names.contains(name)
                if isWanted { current.fields.append((name, String(decoding: line[line.index(after: colon)...], as: UTF8.self).trimmed)) }
            } else {
                isWanted = false
            }
        }
        if !current.fields.isEmpty { paragraphs.append(current) }
        return paragraphs
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String { String(drop { $0.isWhitespace }).trimmedEnd }

    var trimmedEnd: String {
        var end = endIndex
        while end > startIndex, self[index(before: end)].isWhitespace { end = index(before: end) }
        return String(self[..<end])
    }
}
