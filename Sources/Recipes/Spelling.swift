/// The known word nearest to a misspelt one.
enum Spelling {
    /// The nearest of `candidates` by edit distance, if it is near enough to be what was meant.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let word = word.lowercased()
        let limit = max(1, min(3, word.count / 2))
        var best: (distance: Int, word: String)?
        for candidate in candidates {
            let far = distance(Array(word), Array(candidate.lowercased()))
            if far <= limit, best.map({ far < $0.distance }) ?? true { best = (far, candidate) }
        }
        return best?.word
    }

    /// Damerau-Levenshtein distance (adjacent letters swapped count as one edit).
    static func distance(_ a: [Character], _ b: [Character]) -> Int {
        if a.isEmpty || b.isEmpty { return a.count + b.count }
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i] + Array(repeating: 0, count: b.count)
            for j in 1...b.count {
                let cost = a[i - 1] == b[j - 1] ? 0 : 1
                row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    row[j] = min(row[j], beforeLast[j - 2] + 1)
                }
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
