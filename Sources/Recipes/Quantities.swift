/// Readers of the small languages in a recipe's values: sizes, durations, ports, modes, names, paths.
public enum Quantities {
    static let sizeUnits: [(name: String, factor: Double)] = [
        ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
    ]

    /// Bytes of `512MiB`, `1.5GiB`; nil for anything else.
    public static func bytes(_ text: String) -> Int64? {
        guard let unit = sizeUnits.first(where: { text.hasSuffix($0.name) }) else { return nil }
        let digits = text.dropLast(unit.name.count)
        guard isNumber(digits), let number = Double(digits) else { return nil }
        let bytes = number * unit.factor
        return bytes < 9e18 && bytes == bytes.rounded() ? Int64(bytes) : nil
    }

    /// What was probably meant by `2GB`, `2 GiB`, `512m`.
    static func nearestSize(_ text: String) -> String? {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard isNumber(digits) else { return nil }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.uppercased()
        guard let first = unit.first, unit.count <= 3 else { return nil }
        return sizeUnits.first { $0.name.first == first }.map { digits + $0.name }
    }

    /// `30s`, `500ms`, `1h30m`, `7d`; nil for anything else.
    public static func duration(_ text: String) -> Duration? {
        var rest = Substring(text)
        var total = Duration.zero
        var order = -1
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            let unit = rest.dropFirst(digits.count).prefix { $0.isLetter }
            let units: [Substring] = ["d", "h", "m", "s", "ms"]
            guard !digits.isEmpty, digits.count < 10, let number = Int64(digits),
                let rank = units.firstIndex(of: unit), rank > order
            else { return nil }
            order = rank
            switch unit {
            case "d": total += .seconds(86400 * number)
            case "h": total += .seconds(3600 * number)
            case "m": total += .seconds(60 * number)
            case "s": total += .seconds(number)
            default: total += .milliseconds(number)
            }
            rest = rest.dropFirst(digits.count + unit.count)
        }
        return total > .zero ? total : nil
    }

    static func isNumber(_ text: some StringProtocol) -> Bool {
        String(text).wholeMatch(of: /[0-9]+(\.[0-9]+)?/) != nil
    }

    /// `0644`, `755`: up to 07777.
    static func mode(_ text: String) -> UInt32? {
        text.wholeMatch(of: /[0-7]{3,4}/) != nil ? UInt32(text, radix: 8) : nil
    }

    /// Whether a reference to an image begins with a registry's host: `example.com/a:1`, `localhost:5000/a`. The host is never guessed.
    static func beginsWithHost(_ text: String) -> Bool {
        guard let slash = text.firstIndex(of: "/") else { return false }
        let host = text[..<slash]
        return !host.hasPrefix(".") && (host.contains(".") || host.contains(":") || host == "localhost")
    }

    package static func isUser(_ text: String) -> Bool {
        text.wholeMatch(of: /[a-z_][a-z0-9_-]{0,31}(:[a-z_][a-z0-9_-]{0,31})?|[0-9]{1,9}(:[0-9]{1,9})?/) != nil
    }

    package static func isVariable(_ text: String) -> Bool { text.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil }

    package static func isName(_ text: String) -> Bool { text.wholeMatch(of: /[a-z0-9][a-z0-9._-]{0,62}/) != nil }

    package static func isTitle(_ text: String) -> Bool { text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9 ._+-]{0,62}/) != nil }

    /// Why a path inside the machine cannot be used; nil when it can.
    package static func machinePathProblem(_ path: String) -> String? {
        if let problem = pathProblem(path) { return problem }
        if !path.hasPrefix("/") { return "it must be absolute" }
        if path == "/" { return "it must not be the root" }
        if path.hasSuffix("/") { return "it must not end in `/`" }
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        if parts.contains("") { return "`//` in it" }
        if parts.contains(where: { $0 == "." || $0 == ".." }) { return "`.` and `..` are not allowed in it" }
        if let first = parts.first, ["proc", "sys", "dev"].contains(first) {
            return "/\(first) is the machine's own and never on its disk"
        }
        return nil
    }

    /// Why a path beside the recipe cannot be used on every host; nil when it can.
    static func hostPathProblem(_ path: String) -> String? {
        if let problem = pathProblem(path) { return problem }
        if path.hasPrefix("/") { return "it is absolute, so it means nothing on another host" }
        if path.hasPrefix("~") { return "`~` is another folder for every user" }
        if path.wholeMatch(of: /[A-Za-z]:.*/) != nil { return "it names a drive" }
        return nil
    }

    private static func pathProblem(_ path: String) -> String? {
        if path.isEmpty { return "it is empty" }
        if path.contains("\\") { return "`\\` is not a separator here" }
        if path.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return "it holds a control character"
        }
        if path != path.trimmed { return "it begins or ends with a space" }
        return path.utf8.count > 4000 ? "it is too long" : nil
    }
}

extension String {
    /// Without spaces and line breaks at both ends.
    var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
