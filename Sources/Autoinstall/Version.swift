/// A version as numbers: `3.11`, `18`, `v20.1.0`.
public struct Version: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// At least one.
    public let parts: [Int]

    /// Reads the numbers at the beginning; nil when there are none.
    public init?(_ text: some StringProtocol) {
        var rest = Substring(text.trimmingSpaces)
        if rest.first == "v" || rest.first == "V" { rest = rest.dropFirst() }
        var parts: [Int] = []
        while parts.count < 4 {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            // A date or a hash is no version.
            guard !digits.isEmpty, digits.count <= 8, let number = Int(digits) else { break }
            parts.append(number)
            rest = rest.dropFirst(digits.count)
            guard rest.first == "." else { break }
            rest = rest.dropFirst()
        }
        if parts.isEmpty { return nil }
        self.parts = parts
    }

    init(_ parts: [Int]) { self.parts = parts }

    public static func < (a: Version, b: Version) -> Bool { a.compare(b, precision: 4) < 0 }
    public static func == (a: Version, b: Version) -> Bool { a.compare(b, precision: 4) == 0 }

    public func hash(into hasher: inout Hasher) {
        var parts = parts
        while parts.last == 0 { parts.removeLast() }
        hasher.combine(parts)
    }

    /// -1, 0 or 1 by the first `precision` numbers; those that are not there are 0.
    func compare(_ other: Version, precision: Int) -> Int {
        for index in 0..<precision {
            let (a, b) = (index < parts.count ? parts[index] : 0, index < other.parts.count ? other.parts[index] : 0)
            if a != b { return a < b ? -1 : 1 }
        }
        return 0
    }

    public var description: String { parts.map(String.init).joined(separator: ".") }
}

/// Which versions will do, in the words of any ecosystem: `>=3.9,<4`, `^1.2`, `~> 3.0`, `3.x`, `18 || 20`, `lts/*`.
public struct VersionConstraint: Hashable, Sendable, CustomStringConvertible {
    /// As it was written.
    public let text: String
    /// Any of these, each of which wants all of its bounds.
    private let alternatives: [[Bound]]

    private struct Bound: Hashable, Sendable {
        enum Relation: Hashable, Sendable { case least, above, most, below, equal, not, prefix }
        let relation: Relation
        let version: Version
    }

    /// How a version without a sign is meant.
    public enum Bare: String, Sendable, CaseIterable {
        /// This one: as many of its numbers as are written.
        case exact
        /// This one or a later one.
        case minimum
    }

    /// - Returns: nil for what says nothing of a version.
    public init?(_ text: some StringProtocol, bare: Bare = .exact) {
        self.text = text.trimmingSpaces
        let plain = self.text.replacing("\"", with: "").replacing("'", with: "")
        let alternatives = plain.replacing("||", with: "|").split(separator: "|").compactMap { Self.bounds(String($0), bare) }
        if alternatives.isEmpty { return nil }
        self.alternatives = alternatives
    }

    private static let parts = Pattern(known: #"(?:^|[\s,;(&])(===|==|>=|<=|!=|~=|~>|=>|[<>=^~!])?\s*[vV]?(\d+(?:\.(?:\d+|[xX*]))*)"#)

    private static func bounds(_ text: String, _ bare: Bare) -> [Bound]? {
        // Maven's and NuGet's ranges: a bracket takes its end in, a parenthesis leaves it out.
        if let range = Pattern(known: "^\\s*([\\[(])\\s*([\\d.]*)\\s*,\\s*([\\d.]*)\\s*([\\])])").firstMatch(text) {
            var bounds: [Bound] = []
            if let low = Version(range[2] ?? "") { bounds.append(Bound(relation: range[1] == "[" ? .least : .above, version: low)) }
            if let high = Version(range[3] ?? "") { bounds.append(Bound(relation: range[4] == "]" ? .most : .below, version: high)) }
            return bounds.isEmpty ? nil : bounds
        }
        // `1.2 - 2.3`.
        if let range = Pattern(known: "^\\s*([\\d.]+)\\s+-\\s+([\\d.]+)").firstMatch(text), let low = Version(range[1] ?? ""),
            let high = Version(range[2] ?? "")
        {
            return [Bound(relation: .least, version: low), Bound(relation: .most, version: high)]
        }
        var bounds: [Bound] = []
        for match in SourceText(path: "", text: text).matches(parts) {
            let sign = match.groups[1]
            let written = match.groups[2]
            guard let version = Version(written) else { continue }
            let isOpen = written.last.map { "xX*".contains($0) } == true
            switch sign {
            case ">=", "=>": bounds.append(Bound(relation: .least, version: version))
            case ">": bounds.append(Bound(relation: .above, version: version))
            case "<=": bounds.append(Bound(relation: .most, version: version))
            case "<": bounds.append(Bound(relation: .below, version: version))
            case "!=", "!": bounds.append(Bound(relation: .not, version: version))
            case "^": bounds += [Bound(relation: .least, version: version), Bound(relation: .prefix, version: Self.caret(version))]
            case "~": bounds += [Bound(relation: .least, version: version), Bound(relation: .prefix, version: Version(Array(version.parts.prefix(2))))]
            case "~>", "~=":
                bounds.append(Bound(relation: .least, version: version))
                bounds.append(Bound(relation: .prefix, version: Version(Array(version.parts.prefix(max(1, version.parts.count - 1))))))
            case "", "=", "==", "===":
                bounds.append(Bound(relation: sign.isEmpty && bare == .minimum && !isOpen ? .least : .equal, version: version))
            default: continue
            }
        }
        return bounds.isEmpty ? nil : bounds
    }

    /// `^1.2` stays in 1, `^0.3` in 0.3.
    private static func caret(_ version: Version) -> Version {
        let zeros = version.parts.prefix { $0 == 0 }.count
        return Version(Array(version.parts.prefix(min(zeros + 1, version.parts.count))))
    }

    /// Whether `version`, known to as many numbers as it has, may do. What it does not say (its patch level) is taken to fit.
    public func admits(_ version: Version) -> Bool {
        let precision = version.parts.count
        return alternatives.contains { bounds in
            bounds.allSatisfy { bound in
                let order = version.compare(bound.version, precision: precision)
                let isCut = bound.version.parts.count > precision
                return switch bound.relation {
                case .least: order >= 0
                case .above: isCut ? order >= 0 : order > 0
                case .most: order <= 0 || Self.begins(version, bound.version)
                case .below: isCut ? order <= 0 : order < 0
                case .equal, .prefix: Self.begins(version, bound.version)
                case .not: isCut || !Self.begins(version, bound.version)
                }
            }
        }
    }

    /// How near a version is that it does not admit: 0 admitted, 1 later than any that is named, 2 anything else.
    func distance(_ version: Version) -> Int {
        if admits(version) { return 0 }
        let named = alternatives.joined().map(\.version)
        return named.allSatisfy { version.compare($0, precision: version.parts.count) > 0 } ? 1 : 2
    }

    /// Whether both begin with the same numbers, as far as both have them.
    private static func begins(_ version: Version, _ with: Version) -> Bool { zip(version.parts, with.parts).allSatisfy { $0 == $1 } }

    public var description: String { text }
}
