import Foundation

/// Leaves tests out by name that fail for their own reasons: few, and each with its evidence.
public enum Quarantine {
    /// At most one test in twenty.
    static let share = 20

    public struct Entry: Hashable, Sendable, Codable {
        public let test: String
        /// What the run said of it.
        public let evidence: String
    }

    /// The tests that failed, if they may be left out: few of those that ran, all of them known by name, and of a runner that can leave out tests by name.
    static func candidates(_ failing: [Lack], of summary: TestSummary) -> [Entry]? {
        let entries = failing.map { Entry(test: $0.subject, evidence: $0.evidence) }
        guard !entries.isEmpty, entries.count == summary.failed, entries.count * share <= summary.ran else { return nil }
        return entries
    }

    /// The command without these tests; nil where nobody knows how to say that.
    static func command(_ command: String, without tests: [String], runner: TestSummary.Runner) -> String? {
        // A test's name is a stranger's word.
        guard tests.allSatisfy({ !$0.isEmpty && $0.utf8.count < 500 && !$0.contains("'") && !$0.contains("\n") && !$0.contains("\\") }) else { return nil }
        switch runner {
        case .pytest:
            // pytest splits what the variable says as a shell does.
            guard tests.allSatisfy({ !$0.contains("\"") }) else { return nil }
            let options = tests.map { "--deselect=\"\($0)\"" }.joined(separator: " ")
            return "export PYTEST_ADDOPTS=\(ShellQuote.word(options))\n\(command)"
        case .ctest:
            guard let range = command.range(of: #"\bctest\b"#, options: .regularExpression), tests.allSatisfy({ !$0.contains(where: "()[]{}|*+?^$".contains) })
            else {
                return nil
            }
            let pattern = "^(\(tests.map { $0.replacing(".", with: "[.]") }.joined(separator: "|")))$"
            return command.replacingCharacters(in: range, with: "ctest -E \(ShellQuote.word(pattern))")
        case .cargo:
            // Without `--exact` a name leaves out all that begin with it. Words behind a `--` of the command's own stay there.
            guard let test = command.range(of: #"\bcargo test\b[^\n;&|]*"#, options: .regularExpression) else { return nil }
            let options = tests.map { "--skip \(ShellQuote.word($0))" }.joined(separator: " ") + " --exact"
            let words = String(command[test])
            // A name to run would be taken as a whole name from now on, and the tests of documents have names with line numbers.
            guard words.split(separator: " ").dropFirst(2).allSatisfy({ $0.hasPrefix("-") }), !tests.contains(where: { $0.contains(" ") }) else { return nil }
            return command.replacingCharacters(in: test, with: words + (words.contains(" -- ") ? " " : " -- ") + options)
        case .googletest:
            guard tests.allSatisfy({ !$0.contains(where: ":*?-".contains) }) else { return nil }
            return "export GTEST_FILTER=\(ShellQuote.word("-" + tests.joined(separator: ":")))\n\(command)"
        case .minitest:
            // Rake's tasks for tests hand the variable on; from minitest 5.11 on a class with its method is a name.
            guard command.contains("rake"), tests.allSatisfy({ $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_:#".contains($0)) } }) else {
                return nil
            }
            return "export TESTOPTS=\(ShellQuote.word("--exclude=/^(\(tests.joined(separator: "|")))$/"))\n\(command)"
        case .mocha:
            // What follows `--` gets to the end of the script that npm runs.
            guard command.hasPrefix("npm test") || command.hasPrefix("npx mocha") else { return nil }
            let titles = tests.map { String($0.map { $0.isLetter || $0.isNumber || $0 == " " ? $0 : "." }) }
            return "\(command)\(command.hasPrefix("npm ") ? " --" : "") --invert --grep \(ShellQuote.word("^(\(titles.joined(separator: "|")))$"))"
        default: return nil
        }
    }
}
