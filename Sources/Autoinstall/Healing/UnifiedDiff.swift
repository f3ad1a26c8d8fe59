/// The difference of two texts, as `diff -u` writes it.
enum UnifiedDiff {
    private static let context = 3

    /// - Parameter old: nil for a file that is not there yet.
    /// - Returns: empty when nothing differs.
    static func text(_ old: String?, _ new: String, name: String) -> String {
        if old == new { return "" }
        let (before, after) = (lines(old ?? ""), lines(new))
        var rows: [(sign: Character, line: String)] = []
        let difference = after.difference(from: before)
        var (removed, inserted): (Set<Int>, Set<Int>) = ([], [])
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        var (at, other) = (0, 0)
        while at < before.count || other < after.count {
            if at < before.count, removed.contains(at) {
                rows.append(("-", before[at]))
                at += 1
            } else if other < after.count, inserted.contains(other) {
                rows.append(("+", after[other]))
                other += 1
            } else {
                rows.append((" ", before[at]))
                at += 1
                other += 1
            }
        }
        return "--- \(old == nil ? "/dev/null" : "a/\(name)")\n+++ b/\(name)\n" + hunks(rows).joined()
    }

    private static func lines(_ text: String) -> [String] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    private static func hunks(_ rows: [(sign: Character, line: String)]) -> [String] {
        let changed = rows.indices.filter { rows[$0].sign != " " }
        var hunks: [String] = []
        var index = 0
        while index < changed.count {
            let start = max(0, changed[index] - context)
            while index + 1 < changed.count, changed[index + 1] - changed[index] <= 2 * context { index += 1 }
            let end = min(rows.count, changed[index] + context + 1)
            index += 1
            func count(_ range: Range<Int>, _ other: Character) -> Int { range.count { rows[$0].sign != other } }
            let (oldStart, newStart) = (count(0..<start, "+"), count(0..<start, "-"))
            let (oldCount, newCount) = (count(start..<end, "+"), count(start..<end, "-"))
            let head = "@@ -\(oldCount == 0 ? oldStart : oldStart + 1),\(oldCount) +\(newCount == 0 ? newStart : newStart + 1),\(newCount) @@\n"
            hunks.append(head + rows[start..<end].map { "\($0.sign)\($0.line)\n" }.joined())
        }
        return hunks
    }
}
