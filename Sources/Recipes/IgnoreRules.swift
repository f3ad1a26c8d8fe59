/// The rules of the `.gitignore` and `.terrineignore` files from a root down to one folder; the last that matches decides.
package struct IgnoreRules: Sendable {
    private struct Rule: Sendable {
        let glob: GlobPattern
        /// How many names of a path lie above the file that holds the rule.
        let depth: Int
        let isNegated: Bool
        let isFolderOnly: Bool
        /// No `/` in the pattern: it is compared with the last name alone.
        let isNameOnly: Bool
    }

    private var rules: [Rule] = []

    package init() {}

    /// Adds the lines of a file that lies `depth` names below the root; they go before all earlier ones.
    package mutating func add(_ text: String, depth: Int) {
        for line in text.split(whereSeparator: \.isNewline) {
            var pattern = Substring(line)
            while pattern.hasSuffix(" "), !pattern.hasSuffix("\\ ") { pattern = pattern.dropLast() }
            if pattern.isEmpty || pattern.hasPrefix("#") { continue }
            let isNegated = pattern.hasPrefix("!")
            if isNegated { pattern = pattern.dropFirst() }
            let isFolderOnly = pattern.hasSuffix("/")
            if isFolderOnly { pattern = pattern.dropLast() }
            let isNameOnly = !pattern.contains("/")
            if pattern.isEmpty { continue }
            rules.append(
                Rule(
                    glob: GlobPattern(pattern), depth: depth, isNegated: isNegated, isFolderOnly: isFolderOnly,
                    isNameOnly: isNameOnly))
        }
    }

    /// Whether `path` (names from the root) is ignored; folders above it were asked before.
    package func ignores(_ path: [[UInt8]], isFolder: Bool) -> Bool {
        for rule in rules.reversed() {
            if rule.isFolderOnly, !isFolder { continue }
            let tail = rule.isNameOnly ? path.suffix(1) : path.dropFirst(rule.depth)
            if rule.glob.matches(tail) { return !rule.isNegated }
        }
        return false
    }
}
