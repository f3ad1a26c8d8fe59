/// Reports as the JUnit XML that CI services read: a suite for each recipe's steps and one for its checks, a case for each of them.
///
/// There is no standard; this is what the Ant task writes and Jenkins, GitLab and GitHub's actions take: https://github.com/testmoapp/junitxml
public struct JUnitDocument: Sendable {
    private let suites: [Suite]

    private struct Suite {
        var name: String
        var cases: [Case]
    }
    private struct Case {
        var name: String
        var group: String
        var milliseconds: Int
        var failure: (message: String, text: String)?
        var skipped: String?
        var output: String
    }

    public init(_ reports: [CIReport]) {
        suites = reports.flatMap { report -> [Suite] in
            var steps = report.steps.map { step in
                let said = step.reason.map { "ran: \($0)\n" } ?? (step.outcome == .cached ? "cached\n" : "")
                var one = Case(name: step.name, group: report.name + ".build", milliseconds: step.milliseconds, output: said + step.output.text)
                if step.outcome == .failed { one.failure = (report.failure?.message ?? "failed", step.output.last(50)) }
                if step.outcome == .pending { one.skipped = "a step before it failed" }
                return one
            }
            let checks = report.checks.map { check in
                let said = check.outcome == .known ? "passed before on this very image\n" : ""
                var one = Case(name: check.name, group: report.name + ".checks", milliseconds: check.milliseconds, output: said + check.output.text)
                if check.outcome == .failed { one.failure = (check.problem ?? "failed", check.output.last(50)) }
                if check.outcome == .pending { one.skipped = "there is no image to check" }
                return one
            }
            // A failure that is no step's and no check's is one of the whole.
            if let failure = report.failure, !steps.contains(where: { $0.failure != nil }), !checks.contains(where: { $0.failure != nil }) {
                var one = Case(name: "terrine", group: report.name + ".build", milliseconds: 0, output: "")
                one.failure = (failure.message, [failure.cause, failure.fix].compactMap { $0 }.joined(separator: "\n"))
                steps.append(one)
            }
            return [Suite(name: report.name + ".build", cases: steps)] + (checks.isEmpty ? [] : [Suite(name: report.name + ".checks", cases: checks)])
        }
    }

    public var text: String {
        let all = suites.flatMap(\.cases)
        var lines = [#"<?xml version="1.0" encoding="UTF-8"?>"#, "<testsuites\(Self.counts("terrine", all))>"]
        for suite in suites {
            lines.append("  <testsuite\(Self.counts(suite.name, suite.cases))>")
            for one in suite.cases {
                let named = Self.attributes([("classname", one.group), ("name", one.name), ("time", Self.seconds(one.milliseconds))])
                lines.append("    <testcase\(named)>")
                if let failure = one.failure {
                    let told = Self.attributes([("message", failure.message), ("type", "failure")])
                    lines.append("      <failure\(told)>\(Self.escaped(failure.text))</failure>")
                }
                if let skipped = one.skipped { lines.append("      <skipped\(Self.attributes([("message", skipped)]))/>") }
                if !one.output.isEmpty { lines.append("      <system-out>\(Self.escaped(one.output))</system-out>") }
                lines.append("    </testcase>")
            }
            lines.append("  </testsuite>")
        }
        return lines.joined(separator: "\n") + "\n</testsuites>\n"
    }

    private static func counts(_ name: String, _ cases: [Case]) -> String {
        attributes([
            ("name", name), ("tests", String(cases.count)), ("failures", String(cases.count { $0.failure != nil })), ("errors", "0"),
            ("skipped", String(cases.count { $0.skipped != nil })), ("time", seconds(cases.reduce(0) { $0 + $1.milliseconds })),
        ])
    }

    private static func attributes(_ pairs: [(String, String)]) -> String { pairs.map { " \($0)=\"\(escaped($1, attribute: true))\"" }.joined() }

    private static func seconds(_ milliseconds: Int) -> String {
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }

    /// Terminals' colours are taken away; what XML 1.0 cannot hold at all becomes U+FFFD.
    static func escaped(_ text: String, attribute: Bool = false) -> String {
        var out = ""
        for scalar in PlainText.withoutEscapes(text).unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"" where attribute: out += "&quot;"
            case "\n" where attribute: out += "&#10;"
            case "\t" where attribute: out += "&#9;"
            case "\n", "\t": out.unicodeScalars.append(scalar)
            case "\r": out += "&#13;"
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: out += "\u{FFFD}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

enum PlainText {
    /// Without what moves a terminal's cursor or colours it: ECMA-48, CSI and OSC sequences.
    static func withoutEscapes(_ text: String) -> String {
        if !text.utf8.contains(0x1B) { return text }
        return text.replacing(/\u{1B}(?:\[[0-?]*[ -\/]*[@-~]|\][^\u{07}\u{1B}]*(?:\u{07}|\u{1B}\\)?|[@-Z\\^_])/, with: "")
    }
}
