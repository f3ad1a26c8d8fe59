/// Where in the repository something is said, so that a person can look it up.
public struct Evidence: Hashable, Sendable, Codable, CustomStringConvertible {
    /// From the repository's root.
    public let file: String
    /// From 1; 0 for the file as a whole.
    public let line: Int
    /// The line, shortened; empty for the file as a whole.
    public let text: String

    public init(file: String, line: Int = 0, text: String = "") {
        (self.file, self.line) = (file, line)
        self.text = Self.shown(text)
    }

    /// `pyproject.toml:12`.
    public var description: String { line > 0 ? "\(file):\(line)" : file }

    /// One line of at most 160 characters that a terminal shows as it is: what a stranger wrote has no say over the screen.
    static func shown(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x2028...0x202E).contains(scalar.value)
            out.append(isControl ? " " : scalar)
            if out.count == 160 { break }
        }
        return String(out).trimmingSpaces
    }
}

/// Something that a person should know: what could not be carried over, what was left out, what is doubtful.
public struct Note: Hashable, Sendable, Codable, CustomStringConvertible {
    public let message: String
    public let evidence: Evidence?

    public init(_ message: String, _ evidence: Evidence? = nil) { (self.message, self.evidence) = (Evidence.shown(message), evidence) }

    public var description: String { evidence.map { "\($0): \(message)" } ?? message }
}

extension StringProtocol {
    /// Without spaces, tabs and line breaks at both ends.
    var trimmingSpaces: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
