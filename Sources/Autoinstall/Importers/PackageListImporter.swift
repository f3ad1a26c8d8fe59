/// Plain lists of packages: `apt.txt` and `Aptfile` as they are, a `Brewfile` by Debian's names.
struct PackageListImporter: Importer {
    func files(_ repository: Repository) -> [String] {
        ["apt.txt", ".apt.txt", "apt-packages.txt", "packages.txt", "binder/apt.txt", ".binder/apt.txt", "Aptfile", "Brewfile"].filter(repository.contains)
    }

    private static let formula = Pattern(known: #"^\s*(brew|cask|tap|mas|vscode|whalebrew)\s*\(?\s*["']([^"']+)["']"#)

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        let isBrew = source.path.hasSuffix("Brewfile")
        for number in 1...max(1, source.lineCount) {
            let line = source.line(number).split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).first?.trimmingSpaces ?? ""
            if line.isEmpty { continue }
            let evidence = source.evidence(number)
            if isBrew {
                brew(line, evidence, &findings)
            } else if line.hasPrefix(":repo:") || line.contains("://") {
                findings.note("another archive was not taken over: \(line)", evidence)
            } else {
                for word in line.split(whereSeparator: \.isWhitespace) { ScriptCarrier.package(String(word), evidence, .environment, &findings) }
            }
        }
    }

    private func brew(_ line: String, _ evidence: Evidence, _ findings: inout Findings) {
        guard let match = Self.formula.firstMatch(line), let kind = match[1], let name = match[2] else { return }
        guard kind == "brew" else {
            if kind != "tap" { findings.note("\(kind) \"\(name)\" is for another system, and was not taken over", evidence) }
            return
        }
        let last = name.split(separator: "/").last.map(String.init) ?? name
        let parts = last.split(separator: "@").map(String.init)
        guard let packages = NameTables.brew[last] ?? NameTables.brew[parts[0]] else {
            return findings.note("the formula \(name) has no Debian package that is known", evidence)
        }
        for package in packages { findings.add(.systemPackage(package), .environment, evidence) }
        if let language = NameTables.tools[parts[0]] {
            findings.add(.language(language, parts.count > 1 ? VersionConstraint(parts[1]) : nil), .environment, evidence)
        }
    }
}
