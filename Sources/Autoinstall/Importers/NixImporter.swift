/// `flake.nix` and `shell.nix`: the names in lists of packages, and nothing else; the language itself is not read.
struct NixImporter: Importer {
    func files(_ repository: Repository) -> [String] { ["flake.nix", "shell.nix", "default.nix", "devenv.nix", "nix/shell.nix"].filter(repository.contains) }

    private static let list = Pattern(
        known: #"\b(?:packages|buildInputs|nativeBuildInputs|propagatedBuildInputs|checkInputs|nativeCheckInputs|devPackages)\s*=(.*)$"#)
    private static let name = Pattern(known: #"[A-Za-z_][\w'.+-]*"#)
    private static let variable = Pattern(known: #"^\s*([A-Z][A-Z0-9_]+)\s*=\s*"([^"$]*)"\s*;"#)
    private static let versioned = Pattern(
        known: #"^(python|nodejs|go|ruby|php|jdk|openjdk|erlang|elixir|ghc|lua|perl|rustc|gcc|clang|llvmPackages|postgresql)[-_]?(\d+)(?:_(\d+))?.*$"#)
    private static let words: Set = [
        "with", "pkgs", "nixpkgs", "unstable", "lib", "in", "let", "rec", "inherit", "if", "then", "else", "import", "self", "null", "true", "false", "ps", "p",
        "stdenv", "optional", "optionals", "isLinux", "isDarwin", "darwin", "callPackage", "override",
    ]

    func read(_ source: SourceText, _ context: ImportContext, _ findings: inout Findings) throws {
        var number = 1
        while number <= source.lineCount {
            if let variable = Self.variable.firstMatch(source.line(number)), let key = variable[1], let value = variable[2] {
                context.variable(key, value, source.evidence(number), .environment, &findings)
            }
            guard let head = Self.list.firstMatch(source.line(number)), let rest = head[1] else {
                number += 1
                continue
            }
            number = readList(from: number, rest, source, context, &findings)
        }
        for number in 1...max(1, source.lineCount) where source.line(number).contains("shellHook") {
            findings.note("shellHook runs in each shell, and was not taken over", source.evidence(number))
        }
    }

    /// From the first `[` to its `]`, over lines.
    private func readList(from start: Int, _ rest: String, _ source: SourceText, _ context: ImportContext, _ findings: inout Findings) -> Int {
        var depth = 0
        var number = start
        var text = rest
        while number <= source.lineCount {
            let code = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init) ?? ""
            var current = ""
            for character in code {
                switch character {
                case "[": depth += 1
                case "]":
                    if depth == 1 { names(current, source.evidence(number), context, &findings) }
                    current = ""
                    depth -= 1
                    if depth <= 0 { return number + 1 }
                    continue
                // What stands in parentheses is computed.
                case "(" where depth > 0:
                    names(current, source.evidence(number), context, &findings)
                    current = ""
                    depth += 100
                case ")" where depth >= 100:
                    if current.contains("withPackages") || current.contains("ps") || current.contains(".") {
                        names(current.split(separator: " ").first.map(String.init) ?? "", source.evidence(number), context, &findings)
                    }
                    current = ""
                    depth -= 100
                    continue
                default: break
                }
                if character != "[", character != "(" { current.append(character) }
            }
            if depth == 1 { names(current, source.evidence(number), context, &findings) } else if depth == 0, code.contains(";") { return number + 1 }
            number += 1
            text = source.line(number)
        }
        return number
    }

    private func names(_ text: String, _ evidence: Evidence, _ context: ImportContext, _ findings: inout Findings) {
        for match in SourceText(path: "", text: text).matches(Self.name) {
            var name = match.groups[0]
            for prefix in ["pkgs.", "nixpkgs.", "unstable."] where name.hasPrefix(prefix) { name = String(name.dropFirst(prefix.count)) }
            if Self.words.contains(name) { continue }
            add(name, evidence, context, &findings)
        }
    }

    private func add(_ name: String, _ evidence: Evidence, _ context: ImportContext, _ findings: inout Findings) {
        let bare = name.split(separator: ".").first.map(String.init) ?? name
        if let packages = NameTables.nix[name] ?? NameTables.nix[bare] {
            for package in packages { findings.add(.systemPackage(package), .environment, evidence) }
            if let language = NameTables.tools[bare == "python3" ? "python" : bare] { findings.add(.language(language, nil), .environment, evidence) }
            return
        }
        // `python311`, `nodejs_20`, `go_1_22`.
        guard let match = Self.versioned.firstMatch(bare), let tool = match[1], let digits = match[2] else {
            return findings.note("the package \(name) of nixpkgs has no Debian package that is known", evidence)
        }
        if let packages = NameTables.nix[tool == "python" ? "python3" : tool == "postgresql" ? "postgresql" : tool] {
            for package in packages { findings.add(.systemPackage(package), .environment, evidence) }
        }
        guard let language = NameTables.tools[tool == "jdk" || tool == "openjdk" ? "java" : tool] else { return }
        let version = match[3].map { "\(digits).\($0)" } ?? (tool == "python" || tool == "php" ? "\(digits.prefix(1)).\(digits.dropFirst())" : digits)
        findings.add(.language(language, VersionConstraint(version)), .environment, evidence)
    }
}
