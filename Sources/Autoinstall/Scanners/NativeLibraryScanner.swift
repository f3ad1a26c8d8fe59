/// Finds the libraries that a build looks for: in configure scripts, CMake, Meson, Makefiles, extension builds, and `#include`.
struct NativeLibraryScanner {
    private enum Kind { case pkgConfig, cmake, header, linked, tool }

    private struct Rule: Sendable {
        let globs: [String]
        let patterns: [(kind: Kind, pattern: Pattern)]

        init(_ globs: [String], _ patterns: [(Kind, StaticString)]) {
            self.globs = globs
            self.patterns = patterns.map { ($0.0, Pattern(known: $0.1)) }
        }
    }

    private static let rules: [Rule] = [
        Rule(
            ["configure.ac", "configure.in", "m4/*.m4", "*/configure.ac"],
            [
                (.pkgConfig, #"PKG_(?:CHECK_MODULES|CHECK_EXISTS)\(\s*\[?[\w-]*\]?\s*,\s*\[?([^\],)]+)"#), (.pkgConfig, #"PKG_CHECK_EXISTS\(\s*\[?([^\],)]+)"#),
                (.linked, #"AC_CHECK_LIB\(\s*\[?([\w.+-]+)"#), (.linked, #"AC_SEARCH_LIBS\(\s*\[?\w+\]?\s*,\s*\[?([^\]),]+)"#),
                (.header, #"AC_CHECK_HEADERS?\(\s*\[?([^\]),]+)"#), (.tool, #"AC_(?:CHECK|PATH)_PROGS?\(\s*\[?\w+\]?\s*,\s*\[?([\w.+-]+)"#),
            ]),
        Rule(
            ["**/CMakeLists.txt", "cmake/*.cmake", "CMake/*.cmake"],
            [
                (.cmake, #"(?i)^[^#]*\bfind_package\s*\(\s*([A-Za-z][\w-]*)"#),
                (.pkgConfig, #"(?i)^[^#]*\bpkg_(?:check_modules|search_module)\s*\(\s*\w+\s+([^)]*)"#),
                (.linked, #"(?i)^[^#]*\bfind_library\s*\(\s*\w+\s+(?:NAMES\s+)?([\w.+-]+)"#),
                (.tool, #"(?i)^[^#]*\bfind_program\s*\(\s*\w+\s+(?:NAMES\s+)?([\w.+-]+)"#),
            ]),
        Rule(
            ["**/meson.build"],
            [
                (.pkgConfig, #"^[^#]*\bdependency\s*\(\s*'([^']+)'"#), (.linked, #"^[^#]*\bfind_library\s*\(\s*'([^']+)'"#),
                (.tool, #"^[^#]*\bfind_program\s*\(\s*'([\w.+-]+)'"#),
            ]),
        Rule(
            ["[Mm]akefile", "GNUmakefile", "*.mk", "src/[Mm]akefile", "config.mk"],
            [
                (.pkgConfig, #"\bpkg-config\s+(?:--[\w=-]+\s+)*([a-zA-Z][\w.+-]*(?:\s+[a-zA-Z][\w.+-]*)*)"#), (.linked, #"(?:^|\s|=)-l([A-Za-z][\w.+-]*)"#),
            ]),
        Rule(
            ["setup.py"],
            [
                (.header, #"["']([\w./+-]+\.h)["']"#), (.linked, #"libraries\s*=\s*\[\s*["']([\w.+-]+)["']"#),
                (.pkgConfig, #"pkg-config["'\s,]+(?:["']--\w+["'],\s*)*["']([\w.+-]+)["']"#),
            ]),
        Rule(
            ["**/extconf.rb"],
            [
                (.linked, #"have_library\s*\(?\s*["']([\w.+-]+)"#), (.header, #"have_header\s*\(?\s*["']([\w./+-]+)"#),
                (.pkgConfig, #"pkg_config\s*\(?\s*["']([\w.+-]+)"#),
            ]),
        Rule(
            ["**/*.go"], [(.pkgConfig, #"^(?://)?\s*#cgo\s+(?:\S+\s+)?pkg-config:\s*(.+)$"#), (.linked, #"^(?://)?\s*#cgo\s.*LDFLAGS:.*-l([A-Za-z][\w.+-]*)"#)]),
        Rule(["**/build.rs"], [(.pkgConfig, #"(?:probe|probe_library)\(\s*"([\w.+-]+)""#), (.linked, #"rustc-link-lib=(?:dylib=)?([\w.+-]+)"#)]),
        Rule(["Makefile.PL", "Build.PL"], [(.linked, #"-l([A-Za-z][\w.+-]*)"#)]),
        Rule(["*.cabal"], [(.pkgConfig, #"(?i)pkgconfig-depends:\s*(.+)$"#), (.linked, #"(?i)extra-libraries:\s*(.+)$"#)]),
        Rule(["binding.gyp"], [(.linked, #"["']-l([\w.+-]+)["']"#)]),
        Rule(["Package.swift"], [(.pkgConfig, #"pkgConfig:\s*"([\w.+-]+)""#)]),
        Rule(["*.rockspec"], [(.header, #"header\s*=\s*["']([\w./+-]+)"#)]),
    ]

    private static let include = Pattern(known: #"^\s*#\s*include\s*<([^>]+)>"#)
    private static let sources: Set = ["c", "cc", "cpp", "cxx", "h", "hh", "hpp", "hxx", "pyx", "xs", "m"]
    /// Of the C library, of every compiler, or of the build itself.
    private static let ordinary: Set = [
        "m", "c", "dl", "pthread", "rt", "util", "resolv", "nsl", "socket", "stdc++", "gcc", "gcc_s", "anl", "crypt", "Threads", "threads", "PkgConfig",
        "CTest", "ws2_32",
        "winmm", "psapi", "kernel32", "user32", "advapi32", "gdi32", "shell32", "ole32", "iconv", "intl", "atomic", "execinfo", "log", "Git",
        "CMakePackageConfigHelpers",
        "GNUInstallDirs", "OpenMP", "openmp", "dbghelp", "bsd", "network", "posix4", "poll", "socket nsl",
    ]
    private static let word = Pattern(known: #"[A-Za-z][\w.+/-]*"#)
    private static let relation = Pattern(known: #"\s*[<>=!]=?\s*[\w.$@{}()-]+"#)

    static func run(_ repository: Repository, _ knowledge: any PackageKnowledge, _ findings: inout Findings) {
        for rule in rules {
            for glob in rule.globs {
                for file in repository.files(matching: glob).prefix(200) {
                    guard let source = repository.text(file.path) else { continue }
                    scan(source, rule, repository, knowledge, &findings)
                }
            }
        }
        includes(repository, knowledge, &findings)
    }

    private static func scan(_ source: SourceText, _ rule: Rule, _ repository: Repository, _ knowledge: any PackageKnowledge, _ findings: inout Findings) {
        for (kind, pattern) in rule.patterns {
            for match in source.matches(pattern, limit: 200) {
                var text = match.groups[1]
                if kind == .pkgConfig { for found in SourceText(path: "", text: text).matches(relation) { text = text.replacing(found.groups[0], with: " ") } }
                for name in SourceText(path: "", text: text).matches(word, limit: 20).map({ $0.groups[0] }) where !ordinary.contains(name) {
                    add(kind, name, source.evidence(match.line), repository, knowledge, &findings)
                }
            }
        }
    }

    private static func add(
        _ kind: Kind, _ name: String, _ evidence: Evidence, _ repository: Repository, _ knowledge: any PackageKnowledge, _ findings: inout Findings
    ) {
        switch kind {
        case .pkgConfig:
            if ["REQUIRED", "QUIET", "IMPORTED_TARGET", "GLOBAL", "libs", "cflags"].contains(name) { return }
            findings.add(.library(.pkgConfig(name)), .manifest, evidence)
        case .cmake: findings.add(.library(.cmake(name)), .manifest, evidence)
        case .linked: findings.add(.library(.linked(name)), .manifest, evidence)
        // Headers of the system itself are asked for by the dozen.
        case .header: if !knowledge.packages(for: .header(name)).isEmpty { findings.add(.library(.header(name)), .manifest, evidence) }
        case .tool: if !knowledge.packages(forCommand: name).isEmpty { findings.add(.tool(name), .manifest, evidence) }
        }
    }

    private static func includes(_ repository: Repository, _ knowledge: any PackageKnowledge, _ findings: inout Findings) {
        var seen: Set<String> = []
        var read = 0
        for file in repository.files where sources.contains(file.path.split(separator: ".").last.map(String.init) ?? "") {
            if read > 24 << 20 { break }
            guard file.size < 1 << 20, let source = repository.text(file.path) else { continue }
            read += file.size
            guard SecretScanner.contains(source.bytes, "include") else { continue }
            for match in source.matches(include, limit: 300) {
                let header = match.groups[1]
                guard seen.insert(header).inserted, seen.count < 5000, !knowledge.packages(for: .header(header)).isEmpty else { continue }
                // A header that the repository has itself is no one else's.
                let name = "/" + header
                if repository.files.contains(where: { $0.path == header || $0.path.hasSuffix(name) }) { continue }
                findings.add(.library(.header(header)), .guess, source.evidence(match.line))
            }
        }
    }
}
