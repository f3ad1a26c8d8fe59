/// Looks through the names that manifests depend on: clients of services, and Python distributions that are compiled against libraries.
struct DependencyScanner {
    private static let python = [
        "requirements*.txt", "*requirements*.txt", "requirements/*.txt", "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "tox.ini",
    ]
    private static let others = ["package.json", "Gemfile", "mix.exs", "composer.json", "Cargo.toml"]
    /// A requirement's name where it begins: in a line of its own, in quotes, or as a key.
    private static let name = Pattern(known: #"(?:^\s*|["':\s,])(@?[A-Za-z][\w./@-]*)"#)
    private static let url = "://"
    private static let configuration: Set = [
        "py", "js", "ts", "rb", "yml", "yaml", "toml", "ini", "cfg", "conf", "properties", "env", "exs", "php", "go", "java", "json", "sh",
    ]
    private static let local = Pattern(
        known:
            #"://(?:[^/@\s]*@)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|db|database|postgres|postgresql|mysql|mariadb|redis|mongo|rabbitmq|memcached|cache)?(?:[:/"'\s]|$)"#
    )

    static func run(_ repository: Repository, _ knowledge: any PackageKnowledge, _ findings: inout Findings) {
        for glob in python {
            for file in repository.files(matching: glob).prefix(20) {
                guard let source = repository.text(file.path) else { continue }
                for (name, line) in names(source) {
                    for package in knowledge.packages(forPythonDistribution: name) { findings.add(.systemPackage(package), .manifest, source.evidence(line)) }
                    if let service = ServiceTable.known.forModule(name) { findings.add(.service(ServiceUse(service.name)), .manifest, source.evidence(line)) }
                }
            }
        }
        for file in others where repository.contains(file) {
            guard let source = repository.text(file) else { continue }
            for (name, line) in names(source) {
                if let service = ServiceTable.known.forModule(name) { findings.add(.service(ServiceUse(service.name)), .manifest, source.evidence(line)) }
            }
        }
        urls(repository, &findings)
    }

    private static func names(_ source: SourceText) -> [(String, Int)] {
        var out: [(String, Int)] = []
        for number in 1...max(1, min(3000, source.lineCount)) {
            let line = source.line(number)
            if line.trimmingSpaces.hasPrefix("#") || line.contains("description") || line.contains("keywords") || line.contains("classifiers") { continue }
            for match in SourceText(path: "", text: line).matches(name, limit: 20) { out.append((match.groups[1], number)) }
        }
        return out
    }

    /// Connection strings. One to this host, or to what compose files call such a host, is meant to work.
    private static func urls(_ repository: Repository, _ findings: inout Findings) {
        var read = 0
        for file in repository.files where configuration.contains(file.path.split(separator: ".").last.map(String.init) ?? "") {
            if read > 24 << 20 { break }
            let name = file.path.lowercased()
            // Lock files are full of addresses; documentation shows what could be.
            if file.size > 200_000 || name.contains("lock") || name.contains("doc") || name.contains("example") || name.contains("demo") { continue }
            guard let source = repository.text(file.path) else { continue }
            read += file.size
            guard SecretScanner.contains(source.bytes, url) else { continue }
            for number in 1...max(1, source.lineCount) {
                let line = source.line(number)
                guard line.contains(url), line.utf8.count < 500, let use = ServiceTable.known.forURL(line) else { continue }
                findings.add(.service(use), local.isFound(in: line) ? .manifest : .guess, source.evidence(number))
            }
        }
    }
}
