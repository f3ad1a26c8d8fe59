/// What `terrine lint` looks for. The names are what comments silence and programs read: they stay.
public enum LintRule: String, Sendable, CaseIterable, Codable {
    case unpinnedApt = "unpinned-apt"
    case unpinnedPip = "unpinned-pip"
    case movingRef = "moving-ref"
    case secretInText = "secret-in-text"
    case unusedVariable = "unused-variable"
    case everyFile = "every-file"
    /// Found by running the step.
    case undeclaredInput = "undeclared-input"
    /// A comment that silences nothing it could name, or gives no reason.
    case badComment = "bad-comment"

    /// In one line, for lists.
    public var summary: String {
        switch self {
        case .unpinnedApt: "Debian packages without a version, and no lock file"
        case .unpinnedPip: "Python packages without `==`, and no lock file"
        case .movingRef: "a repository at a branch, which is another commit tomorrow"
        case .secretInText: "a token, key or password in plain text"
        case .unusedVariable: "a variable that nothing uses"
        case .everyFile: "a step without `inputs`, which any changed file runs again"
        case .undeclaredInput: "a file that a step opens and does not declare (with --trace)"
        case .badComment: "a `lint:` comment that names no rule or gives no reason"
        }
    }
}

/// One thing that `terrine lint` found.
public struct LintFinding: Sendable, Codable, Equatable, CustomStringConvertible {
    public let rule: LintRule
    public let file: String
    /// From 1.
    public let line: Int
    /// From 1, in Unicode scalars.
    public let column: Int
    public let message: String
    /// What mends it.
    public let fix: String
    /// The line of the file.
    public let source: String?

    init(_ rule: LintRule, _ place: SourceLocation, _ message: String, fix: String, source: String?) {
        (self.rule, file, line, column) = (rule, place.file, place.line, place.column)
        (self.message, self.fix, self.source) = (message, fix, source)
    }

    public var description: String {
        let place = SourceLocation(file: file, line: line, column: column)
        let shown = Diagnostic(.warning, at: place, "\(message) [\(rule.rawValue)]", source: source).description
        return "\(shown)\n  fix: \(fix)"
    }
}
