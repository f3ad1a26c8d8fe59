/// Finds the programs that the repository's own scripts and Makefiles call.
struct ToolScanner {
    /// Languages and their managers are what ecosystems are for; the others are for releases and people.
    private static let aside: Set = [
        "python", "python3", "pip", "pip3", "virtualenv", "tox", "nox", "pytest", "node", "npm", "yarn", "ruby", "gem", "bundle", "rake", "php", "composer",
        "go", "cargo",
        "rustc", "java", "javac", "mvn", "gradle", "ghc", "cabal", "elixir", "mix", "erl", "rebar3", "perl", "cpanm", "prove", "lua", "luarocks", "luac", "R",
        "Rscript",
        "ocaml", "dune", "opam", "dmd", "ldc2", "dub", "sudo", "vim", "less", "man", "ssh", "scp", "rsync", "gpg", "svn", "hg", "dpkg-deb", "rpmbuild", "nginx",
        "ping",
        "tree", "time", "cc", "c++", "gcc", "g++", "clang", "clang++", "ed", "dot", "apxs", "strace", "ltrace", "gdb", "entr", "lsof", "netstat", "ifconfig",
        "dig",
    ]
    private static let release = Pattern(known: "(?i)release|deploy|publish|docker|vagrant|upload|install|setup-|mac|win|brew")
    private static let folders: Set = ["", "scripts", "script", "ci", "tools", "test", "tests", "bin", "dev", "build-aux", ".ci"]
    private static let recipe = Pattern(known: #"^\t[-@+\s]*(.+)$"#)

    static func run(_ repository: Repository, _ knowledge: any PackageKnowledge, _ findings: inout Findings) {
        for file in repository.files.filter(isScript).prefix(60) {
            guard file.size < 200_000, let source = repository.text(file.path) else { continue }
            let commands: [ShellCommand]
            if file.path.hasSuffix(".sh") || source.line(1).hasPrefix("#!") {
                guard file.path.hasSuffix(".sh") || source.line(1).hasSuffix("sh") else { continue }
                commands = ShellText(source.text, line: 1).commands
            } else {
                commands = source.matches(recipe).flatMap { ShellText($0.groups[1], line: $0.line).commands }
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
}
