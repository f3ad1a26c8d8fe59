import Foundation

/// This host's pip, as far as machines are to have it: which indexes, and how to reach them.
///
/// Source: pip's documentation, "Configuration".
struct PipConfiguration: Sendable, Equatable {
    /// Options by section; later files go before earlier ones.
    var sections: [String: [String: String]] = [:]
    /// Those that say where packages come from; where they go, and how, is the machine's own affair.
    static let options = ["index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "timeout", "default-timeout", "retries"]

    /// - Parameter files: in ascending order of importance; what is not there adds nothing.
    init(files: [String]) {
        for file in files {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { continue }
            for (section, options) in Self.parse(text) where section != "freeze" { sections[section, default: [:]].merge(options) { $1 } }
        }
    }

    static func parse(_ text: String) -> [String: [String: String]] {
        var sections: [String: [String: String]] = [:]
        var section = "global"
        var last: String?
        for line in text.split(separator: "\n") {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            if trimmed.isEmpty || trimmed.hasPrefix("#") || trimmed.hasPrefix(";") { continue }
            if trimmed.hasPrefix("["), trimmed.hasSuffix("]") {
                section = String(trimmed.dropFirst().dropLast())
                last = nil
            } else if line.first?.isWhitespace == true, let name = last {
                sections[section]?[name, default: ""] += "\n" + trimmed
            } else if let mark = trimmed.firstIndex(where: { $0 == "=" || $0 == ":" }) {
                let name = trimmed[..<mark].trimmingCharacters(in: .whitespaces).lowercased().replacingOccurrences(of: "_", with: "-")
                last = options.contains(name) ? name : nil
                if options.contains(name) {
                    sections[section, default: [:]][name] = trimmed[trimmed.index(after: mark)...].trimmingCharacters(in: .whitespaces)
                }
            }
        }
        return sections
    }

    /// As pip reads it.
    var text: String {
        sections.sorted { $0.key < $1.key }.map { section, options in
            "[\(section)]\n" + options.sorted { $0.key < $1.key }.map { "\($0) = \($1.replacingOccurrences(of: "\n", with: "\n    "))\n" }.joined()
        }.joined(separator: "\n")
    }
}
