import Glibc

/// Finds what the repository reads from its environment: samples of `.env`, and the names that its code asks for.
struct SecretScanner {
    private static let secret = Pattern(
        known:
            #"(?i)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL|AUTH_?KEY|SIGNING_?KEY|ENCRYPTION_?KEY|_PAT$|SENTRY_DSN|LICENSE_KEY)"#
    )
    private static let notSecret = Pattern(known: "(?i)(?:_FILE|_PATH|_DIR|_URL|_LENGTH|_EXPIRY|_EXPIRES|_TTL|_TIMEOUT|_ENABLED|_NAME)$")
    private static let assignment = Pattern(known: #"^\s*(?:export\s+)?([A-Z][A-Z0-9_]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s#]*))"#)
    private static let reads = Pattern(
        known:
            #"(?:os\.environ(?:\.get\(|\[)|os\.getenv\(|os\.LookupEnv\(|os\.Getenv\(|process\.env(?:\.|\[)|ENV(?:\.fetch\(|\[)|getenv\(|env::var\(|\$_ENV\[|\$_SERVER\[|System\.(?:get_env|fetch_env!?|getenv)\(|\benv\(|\$ENV\{)\s*["']?([A-Z][A-Z0-9_]{2,60})\b"#
    )
    private static let words = [
        "environ", "getenv", "Getenv", "LookupEnv", "process.env", "ENV[", "ENV.fetch", "env::var", "$_ENV", "get_env", "env(", "$ENV{",
    ]
    private static let sources: Set = [
        "py", "js", "mjs", "cjs", "ts", "tsx", "jsx", "rb", "go", "rs", "php", "java", "kt", "scala", "ex", "exs", "pl", "pm", "c", "cc", "cpp", "sh", "lua",
        "swift", "cs",
    ]
    /// What systems and CI set by themselves.
    private static let ordinary: Set = [
        "HOME", "PATH", "USER", "SHELL", "TERM", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "PWD", "CI", "DEBUG", "EDITOR", "PAGER", "DISPLAY", "HOSTNAME",
        "NODE_ENV", "GITHUB_TOKEN", "GITHUB_ACTIONS",
    ]

    /// Whether a variable's name is that of a secret.
    static func looksSecret(_ name: String) -> Bool { secret.isFound(in: name) && !notSecret.isFound(in: name) }

    static func run(_ repository: Repository, _ findings: inout Findings) {
        for file in repository.files where isSample(file.path) {
            if let source = repository.text(file.path) { sample(source, &findings) }
        }
        var seen: Set<String> = []
        var read = 0
        for file in repository.files where sources.contains(file.path.split(separator: ".").last.map(String.init) ?? "") {
            // Enough was seen to know.
            if read > 24 << 20 { break }
            guard file.size < 400_000, let source = repository.text(file.path) else { continue }
            read += file.size
            guard words.contains(where: { contains(source.bytes, $0) }) else { continue }
            for match in source.matches(reads, limit: 100) {
                let name = match.groups[1]
                guard !ordinary.contains(name), looksSecret(name), seen.insert(name).inserted, seen.count <= 60 else { continue }
                findings.add(.secret(name, isRequired: match.groups[0].contains("environ[")), .guess, source.evidence(match.line))
            }
        }
    }

    /// `.env.example` and its likes; `.env` itself is someone's own.
    private static func isSample(_ path: String) -> Bool {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard path.split(separator: "/").count <= 3, name.contains("env") else { return false }
        return [
            ".env.example", ".env.sample", ".env.template", ".env.dist", ".env.test", "env.example", "example.env", "sample.env", ".env.development",
            ".env.defaults", ".env-example", ".env.local.example", ".env.ci",
        ].contains(name)
    }

    private static func sample(_ source: SourceText, _ findings: inout Findings) {
        for match in source.matches(assignment) {
            let name = match.groups[1]
            let value = match.groups.dropFirst(2).first { !$0.isEmpty } ?? ""
            let evidence = source.evidence(match.line)
            if let use = ServiceTable.known.forURL(value) {
                findings.add(.service(use), .manifest, evidence)
                findings.add(.variable(name, value: value), .manifest, evidence)
            } else if let service = ServiceTable.known.forVariable(name) {
                findings.add(.service(ServiceUse(service.name)), .manifest, evidence)
            } else if looksSecret(name) {
                findings.add(.secret(name, isRequired: false), .manifest, evidence)
            } else if !value.isEmpty {
                findings.add(.variable(name, value: value), .guess, evidence)
            }
        }
    }

    /// Whether a word is anywhere in a text, without looking at each byte by itself.
    static func contains(_ bytes: [UInt8], _ word: String) -> Bool {
        let word = Array(word.utf8)
        return bytes.withUnsafeBytes { all in
            word.withUnsafeBytes { word in
                guard let base = all.baseAddress, let first = word.first, let start = word.baseAddress else { return false }
                var at = 0
                while at + word.count <= all.count, let found = memchr(base + at, Int32(first), all.count - at - word.count + 1) {
                    if memcmp(found, start, word.count) == 0 { return true }
                    at = found - UnsafeMutableRawPointer(mutating: base) + 1
                }
                return false
            }
        }
    }
}
