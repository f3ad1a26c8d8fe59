import Foundation

/// This host's apt, as far as machines are to have it: how to reach archives, and which.
///
/// Sources: apt.conf(5), sources.list(5), apt_auth.conf(5).
struct AptConfiguration: Sendable, Equatable {
    struct Setting: Sendable, Equatable {
        /// Flat, such as `Acquire::http::Proxy`.
        var name: String
        var value: String
    }
    /// A paragraph of a deb822 file: fields in their order.
    struct Source: Sendable, Equatable {
        var fields: [(name: String, value: String)]

        static func == (a: Source, b: Source) -> Bool { a.text == b.text }
        var text: String { fields.map { "\($0.name): \($0.value)\n" }.joined() }

        subscript(name: String) -> String? {
            get { fields.first { $0.name.lowercased() == name.lowercased() }?.value }
            set {
                fields.removeAll { $0.name.lowercased() == name.lowercased() }
                if let newValue { fields.append((name, newValue)) }
            }
        }
    }

    /// Those of `Acquire` that say how to reach an archive; hooks and preferences are this host's own.
    var settings: [Setting] = []
    var sources: [Source] = []
    /// The text of auth.conf and auth.conf.d.
    var credentials = ""

    /// - Parameter folder: usually `/etc/apt`.
    init(folder: String) {
        for file in Self.files(folder + "/apt.conf.d", ["", "conf"]) + [folder + "/apt.conf"] {
            settings += Self.parse(configuration: Self.text(file)).filter(Self.concernsReaching)
        }
        for file in [folder + "/sources.list"] + Self.files(folder + "/sources.list.d", ["list", "sources"]) {
            sources += file.hasSuffix(".sources") ? Self.parse(paragraphs: Self.text(file)) : Self.parse(lines: Self.text(file))
        }
        credentials = ([folder + "/auth.conf"] + Self.files(folder + "/auth.conf.d", ["", "conf"])).map(Self.text).filter { !$0.isEmpty }.joined(
            separator: "\n")
    }

    // What is not there or not readable adds nothing, as for apt itself.
    private static func text(_ file: String) -> String { (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }
    private static func files(_ folder: String, _ endings: [String]) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { endings.contains(($0 as NSString).pathExtension) }.sorted().map {
            folder + "/" + $0
        }
    }

    private static func concernsReaching(_ setting: Setting) -> Bool {
        let parts = setting.name.lowercased().components(separatedBy: "::")
        guard parts.count > 1, parts[0] == "acquire" else { return false }
        // A program of this host's that finds proxies is not in machines.
        if parts.last == "proxy-auto-detect" || parts.last == "proxyautodetect" { return false }
        return ["http", "https", "retries", "check-valid-until", "check-date", "forceipv4"].contains(parts[1])
    }

    /// Flattens apt.conf's nested scopes.
    static func parse(configuration text: String) -> [Setting] {
        var settings: [Setting] = []
        var scopes: [String] = []
        var words: [String] = []
        func name(_ last: String?) -> String { (scopes + [last ?? ""]).joined(separator: "::") }
        for token in tokens(text) {
            switch token {
            case .word(let word): words.append(word)
            case .open:
                scopes.append(words.last ?? "")
                words = []
            case .close:
                _ = scopes.popLast()
                words = []
            case .end:
                // A value alone is one of a list.
                if words.count == 2 { settings.append(Setting(name: name(words[0]), value: words[1])) }
                if words.count == 1, !scopes.isEmpty { settings.append(Setting(name: name(nil), value: words[0])) }
                words = []
            }
        }
        return settings
    }

    private enum Token {
        case word(String)
        case open, close, end
    }

    private static func tokens(_ text: String) -> [Token] {
        var tokens: [Token] = []
        let characters = Array(text)
        var i = 0
        func starts(_ text: String) -> Bool { characters[i...].starts(with: text) }
        while i < characters.count {
            let character = characters[i]
            if character.isWhitespace {
                i += 1
            } else if starts("//") || character == "#" {
                while i < characters.count, !characters[i].isNewline { i += 1 }
            } else if starts("/*") {
                while i < characters.count, !starts("*/") { i += 1 }
                i += 2
            } else if "{};".contains(character) {
                tokens.append(character == "{" ? .open : character == "}" ? .close : .end)
                i += 1
            } else {
                let quoted = character == "\""
                if quoted { i += 1 }
                let start = i
                while i < characters.count, quoted ? characters[i] != "\"" : !characters[i].isWhitespace && !"{};\"".contains(characters[i]) { i += 1 }
                tokens.append(.word(String(characters[start..<i])))
                if quoted { i += 1 }
            }
        }
        return tokens
    }

    static func parse(paragraphs text: String) -> [Source] {
        var sources: [Source] = []
        var fields: [(name: String, value: String)] = []
        for line in (text + "\n").split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("#") { continue }
            if line.allSatisfy(\.isWhitespace) {
                if !fields.isEmpty { sources.append(Source(fields: fields)) }
                fields = []
            } else if line.first?.isWhitespace == true {
                if let last = fields.indices.last { fields[last].value += "\n" + line }
            } else if let colon = line.firstIndex(of: ":") {
                fields.append((String(line[..<colon]), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)))
            }
        }
        return sources.filter { $0["Enabled"]?.lowercased() != "no" }
    }

    /// The one-line form, as paragraphs.
    static func parse(lines text: String) -> [Source] {
        text.split(separator: "\n").compactMap { line in
            var rest = line.prefix { $0 != "#" }
            var options: [(name: String, value: String)] = []
            if let open = rest.firstIndex(of: "["), let close = rest[open...].firstIndex(of: "]") {
                for option in rest[rest.index(after: open)..<close].split(whereSeparator: \.isWhitespace) {
                    let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
                    let names = ["arch": "Architectures", "lang": "Languages", "target": "Targets", "signed-by": "Signed-By", "pdiffs": "PDiffs"]
                    if parts.count == 2 {
                        let name = parts[0].lowercased()
                        options.append((names[name] ?? name.capitalized, parts[1].replacingOccurrences(of: ",", with: " ")))
                    }
                }
                rest.removeSubrange(open...close)
            }
            let words = rest.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.count >= 3, words[0] == "deb" || words[0] == "deb-src" else { return nil }
            var fields: [(name: String, value: String)] = [("Types", words[0]), ("URIs", words[1]), ("Suites", words[2])]
            if words.count > 3 { fields.append(("Components", words[3...].joined(separator: " "))) }
            return Source(fields: fields + options)
        }
    }
}
