/// Reports as a page of Markdown, in the dialect that GitHub and GitLab show.
public struct SummaryPage: Sendable {
    /// Rows of a table that may have very many.
    private static let rows = 25
    private let reports: [CIReport]
    /// Bytes for people.
    private let size: @Sendable (Int64) -> String

    public init(_ reports: [CIReport], size: @escaping @Sendable (Int64) -> String) { (self.reports, self.size) = (reports, size) }

    public var text: String { reports.map(section).joined(separator: "\n") }

    private func section(_ report: CIReport) -> String {
        var parts = ["## \(Self.cell(report.name)): \(report.isGood ? "passed ✅" : "failed ❌")\n"]
        var facts = [["branch", Self.code(report.revision.branch)]]
        if let commit = report.revision.commit { facts.append(["commit", Self.code(String(commit.prefix(12)))]) }
        if !report.images.isEmpty { facts.append(["image", report.images.map(Self.code).joined(separator: "<br>")]) }
        if !report.pushed.isEmpty { facts.append(["sent to", report.pushed.map(Self.code).joined(separator: "<br>")]) }
        if report.fetchedBytes > 0 { facts.append(["fetched", size(report.fetchedBytes) + " of cached steps"]) }
        if let digest = report.digest { facts.append(["digest", Self.code(digest)]) }
        if let bytes = report.storedBytes { facts.append(["size", size(bytes) + " compressed"]) }
        facts.append(["time", Self.time(report.milliseconds)])
        if let bill = report.bill { facts.append(["bill of materials", Self.code(bill)]) }
        parts.append(Self.table(["", ""], facts))
        if let failure = report.failure {
            parts.append("**\(Self.cell(failure.message))**\n")
            if let cause = failure.cause, !cause.isEmpty { parts.append(Self.fence(cause)) }
            if let fix = failure.fix { parts.append(Self.cell(fix) + "\n") }
        }
        if !report.steps.isEmpty { parts.append("### Steps\n\n" + Self.table(["step", "", "time", "changed"], report.steps.map(row))) }
        if !report.checks.isEmpty { parts.append("### Checks\n\n" + Self.table(["check", "", "time"], report.checks.map(row))) }
        for check in report.checks where check.outcome == .failed && !check.output.isEmpty {
            parts.append("<details><summary>What \(Self.html(check.name)) printed last</summary>\n\n\(Self.fence(check.output.last(40)))\n</details>\n")
        }
        if let difference = report.difference { parts += changes(difference) }
        return parts.joined(separator: "\n")
    }

    private func row(_ step: CIReport.Step) -> [String] {
        let said: String
        switch step.outcome {
        case .pending: said = "did not run"
        case .cached: said = "cached"
        case .done: said = "ran: " + (step.reason ?? "")
        case .failed: said = "❌ failed"
        }
        return [Self.cell(step.name), Self.cell(said), step.milliseconds > 0 ? Self.time(step.milliseconds) : "", step.changedBytes.map(size) ?? ""]
    }

    private func row(_ check: CIReport.Check) -> [String] {
        let said: String
        switch check.outcome {
        case .pending: said = "did not run"
        case .known: said = "✅ passed before, on this image"
        case .passed: said = "✅ passed"
        case .failed: said = "❌ " + (check.problem ?? "failed")
        }
        return [Self.cell(check.name), Self.cell(said), check.milliseconds > 0 ? Self.time(check.milliseconds) : ""]
    }

    private func changes(_ difference: CIReport.Difference) -> [String] {
        var parts = ["### Changed since \(Self.code(difference.since))\n"]
        if difference.packages.isEmpty, difference.files.isEmpty { return parts + ["Nothing.\n"] }
        if !difference.packages.isEmpty {
            let rows = difference.packages.prefix(Self.rows).map {
                [Self.cell($0.name), $0.ecosystem.rawValue, Self.cell($0.oldVersion ?? "-"), Self.cell($0.newVersion ?? "-")]
            }
            parts.append(Self.table(["package", "", "before", "now"], rows) + Self.rest(difference.packages.count, "packages"))
        }
        if !difference.files.isEmpty {
            let counts = [CIReport.FileChange.Change.added, .changed, .removed].map { change in
                "\(difference.files.count { $0.change == change }) \(change.rawValue)"
            }
            let largest = difference.files.sorted { (weight($0), $1.path) > (weight($1), $0.path) }.prefix(Self.rows)
            let rows = largest.map { [Self.code($0.path), $0.change.rawValue, $0.oldBytes.map(size) ?? "-", $0.newBytes.map(size) ?? "-"] }
            let table = Self.table(["file", "", "before", "now"], Array(rows)) + Self.rest(difference.files.count, "files, the largest first")
            parts.append("<details><summary>Files: \(counts.joined(separator: ", "))</summary>\n\n\(table)\n</details>\n")
        }
        return parts
    }

    private func weight(_ file: CIReport.FileChange) -> Int64 { max(file.oldBytes ?? 0, file.newBytes ?? 0) }

    private static func rest(_ count: Int, _ what: String) -> String { count > rows ? "\n\(rows) of \(count) \(what).\n" : "" }

    static func time(_ milliseconds: Int) -> String {
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        return milliseconds < 60_000 ? "\(milliseconds / 1000).\(milliseconds / 100 % 10) s" : "\(milliseconds / 60_000) min \(milliseconds / 1000 % 60) s"
    }

    private static func table(_ heads: [String], _ rows: [[String]]) -> String {
        func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
        return line(heads) + line(heads.map { _ in "---" }) + rows.map(line).joined()
    }

    // MARK: What people and programs named, so that it stays text

    private static func html(_ text: String) -> String { JUnitDocument.escaped(text).split(separator: "\n").joined(separator: " ") }

    private static func cell(_ text: String) -> String {
        html(text).map { "\\`*_[]|~#".contains($0) ? "\\\($0)" : String($0) }.joined()
    }

    private static func code(_ text: String) -> String {
        let plain = PlainText.withoutEscapes(text).split(separator: "\n").joined(separator: " ").replacing("|", with: "\\|")
        return plain.contains("`") ? "`` \(plain) ``" : "`\(plain)`"
    }

    private static func fence(_ text: String) -> String {
        let plain = PlainText.withoutEscapes(text)
        let longest = plain.split(whereSeparator: { $0 != "`" }).map(\.count).max() ?? 0
        let mark = String(repeating: "`", count: max(3, longest + 1))
        return "\(mark)\n\(plain)\n\(mark)\n"
    }
}
