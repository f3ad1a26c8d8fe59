/// Tests that Mocha's reporters tell as failing: a title is in several lines, a suite in each, and the whole of it is what `--grep` looks at.
struct MochaDiagnoser: Diagnoser {
    private static let failing = Pattern(known: #"^\s+\d+ failing\s*$"#)
    private static let first = Pattern(known: #"^ {2}\d+\) (\S.*)$"#)

    func findings(in failure: Failure) -> [Lack] {
        let text = OutputText(failure.output)
        let lines = text.lines.map { (String(decoding: text.lineBytes[$0.range], as: UTF8.self), $0.line) }
        guard let start = lines.lastIndex(where: { Self.failing.isFound(in: $0.0) }) else { return [] }
        var lacks: [Lack] = []
        for at in lines.indices[(start + 1)...] {
            guard let title = Self.first.firstMatch(lines[at].0)?[1] else { continue }
            var parts = [title]
            // It ends with a colon, in this line or in one of the next, each of which is indented more.
            var next = at + 1
            while parts.last?.hasSuffix(":") == false, next < lines.count, next < at + 20, lines[next].0.hasPrefix("     ") {
                parts.append(lines[next].0.trimmingSpaces)
                next += 1
            }
            guard let last = parts.last, last.hasSuffix(":") else { continue }
            let name = String(parts.joined(separator: " ").dropLast())
            lacks.append(Lack(.failingTest, name, language: "mocha", evidence: next < lines.count ? lines[next].0 : title, line: lines[at].1, rule: "mocha"))
        }
        return lacks
    }
}
