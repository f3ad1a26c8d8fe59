import Recipes

/// A place of the repository where an ecosystem is at home.
public struct EcosystemProject: Hashable, Sendable {
    public let ecosystem: Ecosystem
    /// From the repository's root; empty for the root itself.
    public let folder: String
    public let origin: Finding.Origin
    public let evidence: Evidence
}

/// Finds ecosystems, and what their definitions say of a project.
struct EcosystemProjects {
    /// Deeper manifests are of examples and parts.
    private static let depthLimit = 3
    private static let folderLimit = 4
    private static let aside: Set = [
        "test", "tests", "testing", "testdata", "example", "examples", "sample", "samples", "demo", "demos", "fixture", "fixtures", "doc", "docs", "template",
        "templates", "benchmark", "benchmarks", "contrib", "e2e", "spec", "t", "website", "site", ".github", ".devcontainer", ".terrine",
        // For other systems.
        "windows", "win32", "win", "msvc", "msys", "mingw", "macos", "osx", "ios", "android", "vms", "os2", "dos", "amiga",
    ]

    let repository: Repository

    /// A match of a selector.
    struct Hit {
        let evidence: Evidence
        /// For templates: `1`, `2` …, `file`, `folder`, `stem`.
        let values: [String: String]
    }

    func find(_ ecosystem: Ecosystem) -> [EcosystemProject] {
        if let hit = first(ecosystem.detect, in: "") { return [EcosystemProject(ecosystem: ecosystem, folder: "", origin: .manifest, evidence: hit.evidence)] }
        var found: [EcosystemProject] = []
        for folder in folders where found.count < Self.folderLimit {
            // The shallowest ones, and none within another.
            if let shallowest = found.first, depth(folder) > depth(shallowest.folder) { break }
            if let hit = first(ecosystem.detect, in: folder) {
                found.append(EcosystemProject(ecosystem: ecosystem, folder: folder, origin: .manifest, evidence: hit.evidence))
            }
        }
        if found.isEmpty, let guess = ecosystem.guess {
            let files = repository.files(matching: guess.glob)
            if files.count >= guess.least {
                return [EcosystemProject(ecosystem: ecosystem, folder: "", origin: .guess, evidence: Evidence(file: files[0].path))]
            }
        }
        return found
    }

    private func depth(_ folder: String) -> Int { folder.utf8.count { $0 == UInt8(ascii: "/") } }

    /// Folders that may hold a project of their own, the shallowest first.
    private var folders: [String] {
        var all: Set<String> = []
        for file in repository.files {
            let names = file.path.split(separator: "/").dropLast()
            for count in 1...max(1, min(Self.depthLimit, names.count)) where count <= names.count {
                if Self.aside.contains(names[count - 1].lowercased()) { break }
                all.insert(names.prefix(count).joined(separator: "/"))
            }
        }
        return all.sorted { (depth($0), $0) < (depth($1), $1) }.prefix(300).map { $0 }
    }

    func first(_ selectors: [Ecosystem.Selector], in folder: String) -> Hit? {
        for selector in selectors { if let hit = hits(selector, in: folder, limit: 1).first { return hit } }
        return nil
    }

    /// Where a condition holds: the evidence of what it found, or `otherwise` if it asks for nothing. Nil where it does not hold.
    func holds(_ condition: Ecosystem.Condition, in folder: String, otherwise: Evidence) -> Evidence? {
        if !condition.none.isEmpty, first(condition.none, in: folder) != nil { return nil }
        return condition.any.isEmpty ? otherwise : first(condition.any, in: folder)?.evidence
    }

    func hits(_ selector: Ecosystem.Selector, in folder: String, limit: Int = 40) -> [Hit] {
        var out: [Hit] = []
        for file in repository.files(matching: selector.file, in: folder).prefix(200) where out.count < limit {
            let relative = folder.isEmpty ? file.path : String(file.path.dropFirst(folder.count + 1))
            let parts = relative.split(separator: "/").map(String.init)
            var values = [
                "file": relative, "folder": parts.dropLast().joined(separator: "/"), "stem": stem(parts.last ?? ""), "module": parts.dropLast().last ?? "",
            ]
            guard selector.content != nil || selector.after != nil else {
                out.append(Hit(evidence: Evidence(file: file.path), values: values))
                continue
            }
            guard let source = repository.text(file.path) else { continue }
            for range in ranges(selector, source) {
                guard let content = selector.content else {
                    out.append(Hit(evidence: source.evidence(range.lowerBound), values: values))
                    continue
                }
                for match in source.matches(content, in: range, limit: limit - out.count) {
                    for (index, group) in match.groups.enumerated() { values["\(index)"] = group }
                    out.append(Hit(evidence: source.evidence(match.line), values: values))
                }
            }
        }
        return Array(out.prefix(limit))
    }

    private func stem(_ name: String) -> String { name.lastIndex(of: ".").map { $0 == name.startIndex ? name : String(name[..<$0]) } ?? name }

    private func ranges(_ selector: Ecosystem.Selector, _ source: SourceText) -> [ClosedRange<Int>] {
        let last = max(1, source.lineCount)
        guard let after = selector.after else { return [1...last] }
        var out: [ClosedRange<Int>] = []
        for start in Set(source.matches(after).map(\.line)).sorted().prefix(20) {
            var end = last
            if let until = selector.until, start < last, let stop = source.matches(until, in: (start + 1)...last, limit: 1).first { end = stop.line }
            out.append(start...max(start, end))
        }
        return out
    }

    /// `text` with `${NAME}` replaced; nil when a value could mean something to a shell, or is not there.
    static func fill(_ text: String, _ values: [String: String]) -> String? {
        var out = text
        for match in SourceText(path: "", text: text.replacing("\n", with: " ")).matches(Self.variable) {
            let name = match.groups[1]
            guard let value = values[name] else { continue }
            guard Self.harmless.isFound(in: value) else { return nil }
            out = out.replacing("${\(name)}", with: value)
        }
        return out
    }

    private static let variable = Pattern(known: #"\$\{(\d|file|folder|stem|module)\}"#)
    /// A word that is one word to every shell, and no option.
    private static let harmless = Pattern(known: #"^[A-Za-z0-9_./@+:][A-Za-z0-9_./@+:,=-]*$"#)
}
