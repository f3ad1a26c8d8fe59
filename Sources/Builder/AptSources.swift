import Foundation

/// The package sources of this host, in both of apt's formats. Source: sources.list(5).
package struct AptSources {
    struct Source: Hashable {
        var uri: String
        var suite: String
        var components: [String]
        var signedBy: String?
    }

    let sources: [Source]

    package static func host(_ folder: String = "/etc/apt") -> AptSources {
        var sources: [Source] = []
        let parts = folder + "/sources.list.d"
        // A host without apt has no sources, and mmdebstrap then takes the distribution's.
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: parts)) ?? []).sorted().map { parts + "/" + $0 }
        for path in [folder + "/sources.list"] + names {
            guard let bytes = FileManager.default.contents(atPath: path) else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            if path.hasSuffix(".sources") { sources += deb822(text) } else if path.hasSuffix(".list") { sources += oneLine(text) }
        }
        return AptSources(sources: sources)
    }

    /// `deb` lines for the suite, its updates and its security suite; empty when the suite itself is not among them.
    package func lines(suite: String) -> [String] {
        let wanted = [suite, "\(suite)-updates", "\(suite)-security"]
        let found = sources.filter { wanted.contains($0.suite) && $0.components.contains("main") }
        guard found.contains(where: { $0.suite == suite }) else { return [] }
        var seen: Set<Source> = []
        return found.filter { seen.insert($0).inserted }.map { source in
            "deb " + (source.signedBy.map { "[signed-by=\($0)] " } ?? "") + "\(source.uri) \(source.suite) main"
        }
    }

    static func oneLine(_ text: String) -> [Source] {
        text.split(separator: "\n").compactMap { line in
            guard let match = String(line).wholeMatch(of: /\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]*).*/) else { return nil }
            let options = (match.1 ?? "").split(separator: " ")
            let signedBy = options.first { $0.hasPrefix("signed-by=") }.map { String($0.dropFirst(10)) }
            return Source(uri: String(match.2), suite: String(match.3), components: match.4.split(separator: " ").map(String.init), signedBy: signedBy)
        }
    }

    static func deb822(_ text: String) -> [Source] {
        var sources: [Source] = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("#") }
        for stanza in lines.split(whereSeparator: { $0.allSatisfy(\.isWhitespace) }) {
            var fields: [String: String] = [:]
            var last = ""
            for line in stanza {
                if line.first?.isWhitespace == true {
                    fields[last, default: ""] += " " + line.trimmingCharacters(in: .whitespaces)
                } else if let colon = line.firstIndex(of: ":") {
                    last = line[..<colon].lowercased()
                    fields[last] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                }
            }
            func words(_ name: String) -> [String] { (fields[name] ?? "").split(whereSeparator: \.isWhitespace).map(String.init) }
            if !words("types").contains("deb") || fields["enabled"] == "no" { continue }
            // A key that stands in the file itself cannot be given on a line.
            let signedBy = fields["signed-by"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            for uri in words("uris") {
                for suite in words("suites") {
                    sources.append(Source(uri: uri, suite: suite, components: words("components"), signedBy: signedBy))
                }
            }
        }
        return sources
    }
}
