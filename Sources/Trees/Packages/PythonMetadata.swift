/// A Python distribution as its `METADATA` (`PKG-INFO` of an egg) says.
///
/// Source: https://packaging.python.org/en/latest/specifications/core-metadata/
enum PythonMetadata {
    private static let names: Set = [
        "name", "version", "license", "license-expression", "classifier", "home-page", "project-url", "author", "author-email", "maintainer",
        "maintainer-email", "requires-dist", "provides-dist",
    ]

    static func package(_ bytes: [UInt8], path: String) -> InstalledPackage? {
        // The description after the first empty line is not of interest.
        guard let fields = ControlParagraph.read(bytes, only: names).first, let name = fields["name"], let version = fields["version"], !name.isEmpty,
            !version.isEmpty
        else { return nil }
        var package = InstalledPackage(.python, name: name, version: version, path: path)
        package.maintainer = person(fields["maintainer"], fields["maintainer-email"]) ?? person(fields["author"], fields["author-email"])
        package.homepage = given(fields["home-page"]) ?? homepage(fields.all("project-url"))
        package.licenses = license(fields)
        // What an extra or another platform would need is not told apart from what is missing: only what is installed is linked.
        package.dependencies = fields.all("requires-dist").filter { !$0.contains("extra ==") && !$0.contains("extra==") }.compactMap { requirement in
            let name = requirement.prefix { $0.isLetter || $0.isNumber || "-_.".contains($0) }
            return name.isEmpty ? nil : [String(name)]
        }
        return package
    }

    /// `Foo_Bar.baz` is the same distribution as `foo-bar-baz`.
    ///
    /// Source: https://packaging.python.org/en/latest/specifications/name-normalization/
    static func normal(_ name: String) -> String { name.lowercased().split { "-_.".contains($0) }.joined(separator: "-") }

    /// `UNKNOWN` is what old tools wrote for nothing.
    private static func given(_ text: String?) -> String? { text.flatMap { $0.isEmpty || $0 == "UNKNOWN" ? nil : $0 } }

    private static func person(_ name: String?, _ mail: String?) -> String? {
        guard let mail = given(mail)?.split(separator: ",").first.map(\.trimmed) else { return given(name) }
        if mail.contains("<") { return mail }
        return given(name).map { "\($0) <\(mail)>" } ?? mail
    }

    private static func homepage(_ urls: [String]) -> String? {
        let pairs = urls.compactMap { url -> (String, String)? in
            let parts = url.split(separator: ",", maxSplits: 1).map(\.trimmed)
            return parts.count == 2 ? (parts[0].lowercased(), parts[1]) : nil
        }
        return ["homepage", "home", "source", "repository"].lazy.compactMap { label in pairs.first { $0.0 == label }?.1 }.first
    }

    private static func license(_ fields: ControlParagraph) -> [DeclaredLicense] {
        if let expression = given(fields["license-expression"]) { return [DeclaredLicense(expression, .spdx)] }
        // A whole text in this field is no name.
        if let name = given(fields["license"]), !name.contains("\n"), name.count <= 64 { return [DeclaredLicense(name, .free)] }
        let classifiers = fields.all("classifier").filter { $0.hasPrefix("License ::") }.compactMap { $0.components(between: "::").last }
        return classifiers.filter { $0 != "OSI Approved" }.sorted().map { DeclaredLicense($0, .free) }
    }
}

extension String {
    /// Its parts, without white space at their ends.
    func components(between separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound].trimmed)
            rest = rest[range.upperBound...]
        }
        return parts + [rest.trimmed]
    }
}
