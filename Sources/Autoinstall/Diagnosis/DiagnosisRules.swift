import Foundation

/// The rules that are known: those that this program was built with, then `TERRINE_HOME/diagnosers/*.yaml`. One of the same name takes the place of an earlier one.
public struct DiagnosisRules: Diagnoser {
    public let rules: [DiagnosisRule]
    private let index: LiteralIndex

    private static let builtIn: [(name: String, bytes: [UInt8])] = [
        ("build", PackageResources.diagnose_build_yaml), ("languages", PackageResources.diagnose_languages_yaml),
        ("environment", PackageResources.diagnose_environment_yaml), ("services", PackageResources.diagnose_services_yaml),
        ("tests", PackageResources.diagnose_tests_yaml),
    ]

    /// - Parameter home: TERRINE_HOME; nil for the built-in rules only.
    /// - Throws: ``AutoinstallError`` for a file that cannot be used.
    public init(home: String? = nil) throws {
        var files = Self.builtIn.map { ("Diagnosis/diagnose-\($0.name).yaml", $0.bytes) }
        for path in OwnDefinitions.files("diagnosers", home: home) {
            guard let data = FileManager.default.contents(atPath: path) else { throw AutoinstallError("badRule", "cannot read \(path)") }
            files.append((path, Array(data)))
        }
        var rules: [DiagnosisRule] = []
        for (file, bytes) in files {
            for rule in try DiagnosisRule.parse(bytes, file: file) {
                if let known = rules.firstIndex(where: { $0.name == rule.name }) { rules[known] = rule } else { rules.append(rule) }
            }
        }
        self.rules = rules
        index = LiteralIndex(rules.map(\.literals))
    }

    public func findings(in failure: Failure) -> [Lack] {
        let text = OutputText(failure.output)
        let inLines = index.candidates(text.lineBytes, text.lines, rules: rules.count)
        let inParagraphs = index.candidates(text.paragraphBytes, text.paragraphs, rules: rules.count)
        return rules.enumerated().flatMap { number, rule in
            rule.scope == .line
                ? rule.lacks(text.lineBytes, inLines[number].map { text.lines[$0] })
                : rule.lacks(text.paragraphBytes, inParagraphs[number].map { text.paragraphs[$0] })
        }
    }
}

extension DiagnosisRule {
    /// A thing that is missing is told often; a hundred things are one cause.
    private static let limit = 100

    func lacks(_ bytes: [UInt8], _ parts: [OutputText.Part]) -> [Lack] {
        var found: [Lack] = []
        var seen: Set<String> = []
        for part in parts where found.count < Self.limit {
            guard let match = pattern.firstMatch(in: bytes, part.range, from: part.range.lowerBound) else { continue }
            let groups = match.map { $0.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "" }
            let line = String(decoding: bytes[part.range], as: UTF8.self)
            if unlessLine?.isFound(in: line) == true { continue }
            let detail = self.detail.map { Self.filled($0, groups).trimmingSpaces }.flatMap { $0.isEmpty ? nil : $0 }
            let whole = Self.filled(subject, groups)
            for piece in separator.map({ whole.split(separator: $0).map(String.init) }) ?? [whole] {
                let text = Self.unquoted(piece.trimmingSpaces)
                if text.isEmpty || unless?.isFound(in: text) == true || !seen.insert("\(text) \(detail ?? "")").inserted { continue }
                found.append(
                    Lack(
                        kind, names[text] ?? text, language: language.map { Self.filled($0, groups) }, detail: detail, evidence: line, line: part.line,
                        confidence: confidence, rule: name))
            }
        }
        return found
    }

    private static func unquoted(_ text: String) -> String {
        guard let first = text.first, first == "'" || first == "\"", text.count > 2, text.last == first else { return text }
        return String(text.dropFirst().dropLast())
    }

    private static func filled(_ template: String, _ groups: [String]) -> String {
        var out = template
        for (number, text) in groups.enumerated() where out.contains("${") { out = out.replacing("${\(number)}", with: text) }
        return out
    }
}
