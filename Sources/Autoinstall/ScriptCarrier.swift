/// Takes a script of an environment format apart: what a recipe says in its own words becomes that, and the rest a step.
struct ScriptCarrier: Sendable {
    /// Commands that the ecosystems of this repository do already.
    let covers: [Pattern]

    /// - Parameters:
    ///   - name: of the step that the rest becomes; nil when the script is of no environment, so that only packages and goals count.
    func carry(_ script: String, name: String?, from source: SourceText, line: Int, _ origin: Finding.Origin, _ findings: inout Findings) {
        let shell = ShellText(script, line: line)
        var rest: [ShellCommand] = []
        var runsNothingElse = true
        for command in shell.commands {
            let evidence = Evidence(file: source.path, line: command.line, text: command.text)
            switch take(command, evidence, origin, &findings) {
            case .taken: continue
            case .kept:
                rest.append(command)
                // By themselves these do nothing that lasts.
                if !["cd", "pushd", "popd", "source", ".", "set", "export"].contains(command.program) { runsNothingElse = false }
            }
        }
        guard let name, !runsNothingElse else { return }
        // A script with conditions and loops is one piece.
        let run = shell.isPlain ? rest.map(\.text).joined(separator: "\n") + "\n" : script.trimmingSpaces + "\n"
        findings.add(.step(StepDraft(name, run)), origin, source.evidence(rest.first?.line ?? line))
    }

    private enum Taken { case taken, kept }

    private func take(_ command: ShellCommand, _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) -> Taken {
        let words = command.words
        let plain = words.joined(separator: " ")
        if covers.contains(where: { $0.isFound(in: plain) }) { return .taken }
        if let runner = Self.runner(of: command) {
            if plain.contains("$") { return .taken }
            findings.add(
                .goal(Goal(.test, plain, runner: runner, evidence: evidence, origin: evidence.file, rank: origin == .environment ? 8 : 12)), origin, evidence)
            return .taken
        }
        switch command.program {
        case "apt-get", "apt", "aptitude":
            if let at = words.firstIndex(of: "install") { packages(words[(at + 1)...], evidence, origin, &findings) }
            return .taken
        case "apk", "dnf", "yum", "microdnf", "zypper", "pacman", "brew":
            if words.contains("add") || words.contains("install") || words.contains("-S") {
                let names = words.dropFirst().filter { !$0.hasPrefix("-") && !["add", "install"].contains($0) }.joined(separator: " ")
                findings.note("packages of another system, whose names differ from Debian's: \(names)", evidence)
            }
            return .taken
        case "pip", "pip3":
            return pip(Array(words.dropFirst()), evidence, origin, &findings)
        case "python", "python3":
            guard words.count > 3, words[1] == "-m", words[2] == "pip" else { return .kept }
            return pip(Array(words.dropFirst(3)), evidence, origin, &findings)
        case "npm":
            guard words.count > 2, ["install", "i", "add"].contains(words[1]), words.contains("-g") || words.contains("--global") else { return .kept }
            for name in words.dropFirst(2) where !name.hasPrefix("-") && !name.contains("$") {
                findings.add(.package(manager: "npm", name: name), origin, evidence)
            }
            return .taken
        case "go":
            guard words.count == 3, words[1] == "install", words[2].contains("@"), !words[2].contains("$") else { return .kept }
            findings.add(.package(manager: "go", name: words[2]), origin, evidence)
            return .taken
        case "rm": return words.contains { $0.hasPrefix("/var/lib/apt") || $0.hasPrefix("/var/cache") || $0.contains(".cache") } ? .taken : .kept
        case "echo", "set", "true", ":", "printf", "pwd", "ls", "cat", "whoami", "uname", "env", "exit", "which", "shopt": return .taken
        case "export": return export(words.dropFirst(), evidence, origin, &findings)
        default: return .kept
        }
    }

    /// `export NAME=value` of a value that is known now is the environment's.
    private func export(_ words: some Sequence<String>, _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) -> Taken {
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[1].contains("$"), !parts[1].contains("`"), !SecretScanner.looksSecret(parts[0]) else { return .kept }
            if parts[0] != "DEBIAN_FRONTEND", parts[0] != "PATH" { findings.add(.variable(parts[0], value: parts[1]), origin, evidence) }
        }
        return .taken
    }

    private func pip(_ words: [String], _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) -> Taken {
        guard words.first == "install" else { return words.first == "--version" || words.first == "list" || words.first == "cache" ? .taken : .kept }
        var names: [String] = []
        for word in words.dropFirst() {
            if word.hasPrefix("-") {
                // Options with a value, and files, are no list.
                if ["-r", "--requirement", "-e", "--editable", "-c", "--constraint", "-t", "--target", "-f", "--find-links", "-i", "--index-url"].contains(word)
                {
                    return .kept
                }
                continue
            }
            guard Self.requirement.isFound(in: word) else { return .kept }
            names.append(word)
        }
        for name in names where !["pip", "setuptools", "wheel"].contains(name) { findings.add(.package(manager: "pip", name: name), origin, evidence) }
        return .taken
    }

    private static let requirement = Pattern(known: #"^[A-Za-z0-9][\w.-]*(?:\[[\w,-]+\])?(?:[=<>!~]=?[\w.*,<>=!~]+)?$"#)
    static let debianName = Pattern(known: #"^[a-z0-9][a-z0-9+.-]+$"#)

    /// The names after `apt-get install`.
    func packages(_ words: some Sequence<String>, _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) {
        var skips = false
        for word in words {
            if skips {
                skips = false
                continue
            }
            if word.hasPrefix("-") {
                skips = ["-t", "--target-release", "-o", "-c"].contains(word)
                continue
            }
            Self.package(word, evidence, origin, &findings)
        }
    }

    /// One name, perhaps with a version or an architecture.
    static func package(_ word: String, _ evidence: Evidence, _ origin: Finding.Origin, _ findings: inout Findings) {
        let name = word.split(whereSeparator: { "=/:".contains($0) }).first.map(String.init) ?? word
        if word.contains("$") {
            findings.note("a package whose name is only known when it runs: \(word)", evidence)
        } else if word.hasSuffix(".deb") || word.hasPrefix("./") {
            findings.note("a package file, which a recipe's lists cannot hold: \(word)", evidence)
        } else if debianName.isFound(in: name) {
            findings.add(.systemPackage(name), origin, evidence)
            if word.contains("=") { findings.note("the version of \(word) was not taken over: it is of another system's archive", evidence) }
        }
    }

    private static let runners: [(pattern: Pattern, runner: TestSummary.Runner)] = [
        (Pattern(known: #"^(?:(?:python3?|coverage run) -m )?pytest\b"#), .pytest), (Pattern(known: #"^py\.test\b"#), .pytest),
        (Pattern(known: #"^(?:python3? -m )?tox\b"#), .pytest), (Pattern(known: #"^(?:python3? -m )?nox\b"#), .pytest),
        (Pattern(known: #"^(?:python3?|coverage run) -m unittest\b"#), .unittest), (Pattern(known: #"^python3? (?:\./)?manage\.py test\b"#), .unittest),
        (Pattern(known: #"^go test\b"#), .go), (Pattern(known: #"^cargo (?:\+\S+ )?(?:test|nextest)\b"#), .cargo),
        (Pattern(known: #"^ctest\b"#), .ctest), (Pattern(known: #"^meson test\b"#), .meson), (Pattern(known: #"^make (?:\S+ )*check\b"#), .automake),
        (Pattern(known: #"^(?:mvn|\./mvnw)\b.* (?:test|verify|install)\b"#), .surefire),
        (Pattern(known: #"^(?:gradle|\./gradlew)\b.* (?:test|check|build)\b"#), .gradle),
        (Pattern(known: #"^(?:bundle exec )?rspec\b"#), .rspec), (Pattern(known: #"^(?:bundle exec )?rake (?:test|spec)\b"#), .minitest),
        (Pattern(known: #"^mix test\b"#), .exUnit), (Pattern(known: #"^rebar3 (?:eunit|ct)\b"#), .eUnit), (Pattern(known: #"^cabal (?:v2-)?test\b"#), .cabal),
        (Pattern(known: #"^prove\b"#), .prove), (Pattern(known: #"^busted\b"#), .busted), (Pattern(known: #"^bats\b"#), .bats),
        (Pattern(known: #"^(?:(?:php )?(?:\./)?vendor/bin/)?phpunit\b"#), .phpunit), (Pattern(known: #"^dune (?:test|runtest)\b"#), .alcotest),
        (Pattern(known: #"^dotnet test\b"#), .dotnet), (Pattern(known: #"^swift test\b"#), .swift), (Pattern(known: #"^zig build test\b"#), .zig),
        (Pattern(known: #"^dub test\b"#), .dUnit), (Pattern(known: #"^(?:npm|yarn|pnpm) (?:run )?(?:t|test)(?:$| )"#), .tap),
        (Pattern(known: #"^npx (?:jest)\b"#), .jest), (Pattern(known: #"^npx vitest\b"#), .vitest), (Pattern(known: #"^npx mocha\b"#), .mocha),
        (Pattern(known: #"^make (?:\S+ )*test\b"#), .tap),
    ]

    /// Who counts, when a command runs tests.
    static func runner(of command: ShellCommand) -> TestSummary.Runner? {
        let text = command.words.joined(separator: " ")
        return runners.first { $0.pattern.isFound(in: text) }?.runner
    }
}
