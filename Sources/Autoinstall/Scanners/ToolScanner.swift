/// Finds the programs that the repository's own scripts and Makefiles call.
struct ToolScanner {
    /// Languages and their managers, which are what ecosystems are for.
    private static let languages: Set = [
        "python", "python3", "pip", "pip3", "virtualenv", "tox", "nox", "pytest", "node", "npm", "yarn", "ruby", "gem", "bundle", "rake", "php", "composer",
        "go", "cargo",
        "rustc", "java", "javac", "mvn", "gradle", "ghc", "cabal", "elixir", "mix", "erl", "rebar3", "perl", "cpanm", "prove", "lua", "luarocks", "luac", "R",
        "Rscript",
        "ocaml", "dune", "opam", "dmd", "ldc2", "dub", "sudo", "cc", "c++", "gcc", "g++", "clang", "clang++",
    ]
    /// What scripts beside a program call for releases and people.
    private static let forPeople: Set = [
        "vim", "less", "man", "ssh", "scp", "rsync", "gpg", "svn", "hg", "dpkg-deb", "rpmbuild", "nginx",
        "ping",
        "tree", "time", "ed", "dot", "apxs", "strace", "ltrace", "gdb", "entr", "lsof", "netstat", "ifconfig",
        "dig",
    ]
    private static let release = Pattern(known: "(?i)release|deploy|publish|docker|vagrant|upload|install|setup-|mac|win|brew")
    private static let folders: Set = ["", "scripts", "script", "ci", "tools", "test", "tests", "bin", "dev", "build-aux", ".ci"]
    /// Where a program lies that is a script itself, and in what others are written.
    private static let sources: Set = ["src", "lib", "libexec", "bin"]
    private static let compiled: Set = ["c", "cc", "cpp", "go", "rs", "java", "js", "ts", "py", "rb", "hs", "php", "pl", "pm", "lua"]
    /// `GPG="gpg"`: what is called by a variable is called so too.
    private static let variable = Pattern(known: #"^\s*(?:export\s+|readonly\s+)?([A-Z][A-Z0-9_]*)=["']?([a-z][a-z0-9_.+-]*)["']?\s*$"#)
    private static let recipe = Pattern(known: #"^\t[-@+\s]*(.+)$"#)

    static func run(_ repository: Repository, _ knowledge: any PackageKnowledge, _ findings: inout Findings) {
        let isShell = !repository.files.contains { file in
            let parts = file.path.split(separator: "/")
            return parts.count > 1 && sources.contains(String(parts[0])) && compiled.contains(parts.last?.split(separator: ".").last.map(String.init) ?? "")
        }
        for file in repository.files.filter({ isScript($0) || isShell && isProgram($0) }).prefix(60) {
            // What a program calls it cannot do without; what lies beside it may be for releases.
            let aside = isShell && isProgram(file) ? languages : languages.union(forPeople)
            guard file.size < 200_000, let source = repository.text(file.path) else { continue }
            let commands: [ShellCommand]
            if file.path.hasSuffix(".sh") || source.line(1).hasPrefix("#!") {
                guard file.path.hasSuffix(".sh") || source.line(1).hasSuffix("sh") else { continue }
                commands = ShellText(source.text, line: 1).commands
            } else {
                commands = source.matches(recipe).flatMap { ShellText($0.groups[1], line: $0.line).commands }
            }
            for match in source.matches(variable) where match.groups[1] == match.groups[2].uppercased() && !aside.contains(match.groups[2]) {
                if !knowledge.packages(forCommand: match.groups[2]).isEmpty { findings.add(.tool(match.groups[2]), .guess, source.evidence(match.line)) }
            }
            for command in commands where !aside.contains(command.program) && !knowledge.packages(forCommand: command.program).isEmpty {
                findings.add(.tool(command.program), .guess, source.evidence(command.line))
            }
        }
    }

    private static func isScript(_ file: Repository.File) -> Bool {
        let parts = file.path.split(separator: "/")
        guard let name = parts.last, folders.contains(parts.dropLast().joined(separator: "/")), !release.isFound(in: file.path) else { return false }
        return name.hasSuffix(".sh") || ["Makefile", "makefile", "GNUmakefile"].contains(name) || (file.isExecutable && !name.contains("."))
    }

    private static func isProgram(_ file: Repository.File) -> Bool {
        let parts = file.path.split(separator: "/")
        return parts.count == 2 && sources.contains(String(parts[0])) && (file.path.hasSuffix(".sh") || file.isExecutable && !parts[1].contains("."))
    }
}
