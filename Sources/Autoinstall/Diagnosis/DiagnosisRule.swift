/// What one kind of message says is missing: data, so that a user adds one without touching this program; Docs/diagnosers.md says how.
public struct DiagnosisRule: Sendable {
    public enum Scope: String, Sendable { case line, paragraph }

    public internal(set) var name: String
    public internal(set) var kind: Lack.Kind
    public internal(set) var pattern: Pattern
    /// Every match has one of them; empty where that cannot be said.
    var literals: [[UInt8]]
    public internal(set) var scope = Scope.line
    /// With `${1}` for what the pattern's first group matched.
    public internal(set) var subject = "${1}"
    public internal(set) var language: String?
    public internal(set) var detail: String?
    public internal(set) var confidence = Lack.Confidence.certain
    /// The subject is a list: each of its parts is missing.
    public internal(set) var separator: String?
    /// Subjects that are none.
    public internal(set) var unless: Pattern?
    /// Lines that say something else.
    public internal(set) var unlessLine: Pattern?
    /// Subjects that have another name.
    public internal(set) var names: [String: String] = [:]

    /// Reads a file of rules.
    ///
    /// - Parameter file: its name for errors.
    /// - Throws: ``AutoinstallError`` that names the line.
    public static func parse(_ bytes: [UInt8], file: String) throws -> [DiagnosisRule] {
        let root: DataNode
        do { root = try YAMLText.read(SourceText(path: file, bytes: bytes)) } catch let problem as ReadingProblem {
            throw AutoinstallError("badRule", "\(file):\(problem.line): \(problem.description)")
        }
        func fail(_ node: DataNode, _ message: String, _ fix: String? = nil) -> AutoinstallError {
            AutoinstallError("badRule", "\(file):\(node.line): \(message)", fix: fix)
        }
        guard root["version"]?.text == "1" else { throw fail(root, "a file of rules begins with `version: 1`") }
        for entry in root.entries where !["version", "rules"].contains(entry.key) {
            throw fail(entry.value, "`\(entry.key)` is no key here", "use version or rules")
        }
        return try (root["rules"]?.list ?? []).map { node in try rule(node, fail) }
    }

    private static let keys: Set<String> = [
        "name", "kind", "pattern", "in", "subject", "language", "detail", "confidence", "each", "unless", "unless-line", "names",
    ]

    private static func rule(_ node: DataNode, _ fail: (DataNode, String, String?) -> AutoinstallError) throws -> DiagnosisRule {
        for entry in node.entries where !keys.contains(entry.key) {
            throw fail(entry.value, "`\(entry.key)` is no key of a rule", "use one of \(keys.sorted().joined(separator: ", "))")
        }
        func text(_ key: String) throws -> String {
            guard let text = node[key]?.text, !text.isEmpty else { throw fail(node, "a rule needs `\(key)`", nil) }
            return text
        }
        func pattern(_ key: String) throws -> Pattern? {
            guard let value = node[key] else { return nil }
            do { return try Pattern(value.text ?? "") } catch { throw fail(value, "`\(key)` is no pattern: \(error)", nil) }
        }
        func word<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) throws -> T? where T.RawValue == String {
            guard let value = node[key] else { return nil }
            guard let word = value.text.flatMap({ T(rawValue: $0) }) else {
                throw fail(value, "`\(value.text ?? "")` is no \(key)", "use one of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return word
        }
        guard let kind = try word("kind", Lack.Kind.self) else { throw fail(node, "a rule needs `kind`", nil) }
        let source = try text("pattern")
        guard let main = try pattern("pattern") else { throw fail(node, "a rule needs `pattern`", nil) }
        var rule = DiagnosisRule(name: try text("name"), kind: kind, pattern: main, literals: RequiredLiteral.of(source))
        rule.scope = try word("in", Scope.self) ?? .line
        rule.subject = node["subject"]?.text ?? rule.subject
        rule.language = node["language"]?.text
        rule.detail = node["detail"]?.text
        rule.confidence = try word("confidence", Lack.Confidence.self) ?? .certain
        rule.separator = node["each"]?.text
        rule.unless = try pattern("unless")
        rule.unlessLine = try pattern("unless-line")
        rule.names = node["names"]?.textByKey ?? [:]
        return rule
    }
}

extension DiagnosisRule.Scope: CaseIterable {}
