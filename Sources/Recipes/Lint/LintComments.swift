/// `# lint: allow NAME reason`: silences a rule for the line that it is on, or the next one with more than comments.
struct LintComments {
    private struct Allowance {
        let rule: LintRule
        let file: String
        let lines: ClosedRange<Int>
    }

    private var allowances: [Allowance] = []
    private(set) var problems: [LintFinding] = []

    init(_ files: [(file: String, text: String)]) {
        for (file, text) in files { read(RecipeSource(file: file, text: text)) }
    }

    func allow(_ finding: LintFinding) -> Bool {
        finding.rule != .badComment && allowances.contains { $0.rule == finding.rule && $0.file == finding.file && $0.lines.contains(finding.line) }
    }

    private mutating func read(_ source: RecipeSource) {
        for (index, line) in source.lines.enumerated() {
            guard let match = line.firstMatch(of: /(^|\s)#\s*lint:\s*(.*)$/) else { continue }
            let words = match.2.split(separator: " ").map(String.init)
            let place = source.location(index + 1, line.unicodeScalars.distance(from: line.startIndex, to: match.2.startIndex) + 1)
            func bad(_ message: String, _ fix: String) -> LintFinding { LintFinding(.badComment, place, message, fix: fix, source: line) }
            guard words.count >= 2, words[0] == "allow" else {
                problems.append(bad("this comment does not say what it allows", "# lint: allow RULE reason"))
                continue
            }
            guard let rule = LintRule(rawValue: words[1]) else {
                let near = Spelling.nearest(to: words[1], among: LintRule.allCases.map(\.rawValue))
                problems.append(bad("there is no rule `\(words[1])`", near.map { "did you mean `\($0)`?" } ?? "`terrine lint --rules` lists them"))
                continue
            }
            if words.count == 2 { problems.append(bad("`\(rule.rawValue)` is allowed without a reason", "# lint: allow \(rule.rawValue) because …")) }
            let isAlone = line.trimmed.hasPrefix("#")
            var last = index
            if isAlone {
                // Down to the line that it is written above.
                repeat { last += 1 } while last < source.lines.count && (source.lines[last].trimmed.isEmpty || source.lines[last].trimmed.hasPrefix("#"))
            }
            allowances.append(Allowance(rule: rule, file: source.file, lines: (index + 1)...(last + 1)))
        }
    }
}
