/// A place in a recipe: file as the user named it, line and column from 1 (columns count Unicode scalars).
public struct SourceLocation: Hashable, Sendable, Codable {
    public let file: String
    public let line: Int
    public let column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

/// One problem in a recipe: where it is, what was found, what is expected and what was probably meant.
public struct Diagnostic: Hashable, Sendable, Codable, CustomStringConvertible {
    public enum Severity: String, Sendable, Codable { case error, warning }

    public let severity: Severity
    public let file: String
    /// From 1.
    public let line: Int
    /// From 1, in Unicode scalars.
    public let column: Int
    public let message: String
    /// What is allowed at this place.
    public let expected: String?
    /// The nearest known spelling.
    public let nearest: String?
    /// The line of the file, for showing; nil where there is none.
    public let source: String?

    public init(
        _ severity: Severity = .error, at location: SourceLocation, _ message: String, expected: String? = nil,
        nearest: String? = nil, source: String? = nil
    ) {
        self.severity = severity
        self.file = location.file
        self.line = location.line
        self.column = location.column
        self.message = message
        self.expected = expected
        self.nearest = nearest
        self.source = source
    }

    /// `file:line:column: error: message`, the line of the file, a caret, and what is expected.
    public var description: String {
        var text = "\(file):\(line):\(column): \(severity.rawValue): \(message)"
        if let nearest { text += "; did you mean `\(nearest)`?" }
        if let source {
            let number = String(line)
            let margin = String(repeating: " ", count: number.count)
            let lead = source.unicodeScalars.prefix(column - 1).map { $0 == "\t" ? "\t" : " " }.joined()
            text += "\n  \(number) | \(source)\n  \(margin) | \(lead)^"
        }
        if let expected { text += "\n  expected: \(expected)" }
        return text
    }
}

/// Every problem of a recipe, in the order of the file.
public struct RecipeDiagnostics: Error, Sendable, Codable, CustomStringConvertible {
    public let diagnostics: [Diagnostic]

    public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

    public var description: String {
        let errors = diagnostics.count { $0.severity == .error }
        let warnings = diagnostics.count - errors
        var sum = errors == 1 ? "1 error" : "\(errors) errors"
        if warnings > 0 { sum += warnings == 1 ? ", 1 warning" : ", \(warnings) warnings" }
        return (diagnostics.map(\.description) + [sum]).joined(separator: "\n")
    }
}
