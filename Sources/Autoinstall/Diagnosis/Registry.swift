/// A language's registry of packages, and who asks it: one that cannot be reached is not waited for again and again.
public enum Registry: String, CaseIterable, Sendable, Codable, CustomStringConvertible {
    case pypi, npm, rubygems, go, crates, hackage, maven, cpan, packagist, luarocks, hex, opam, cran

    public var description: String { rawValue }

    /// Programs that fetch from one.
    private static let clients: [String: Registry] = [
        "pip": .pypi, "pip3": .pypi, "poetry": .pypi, "uv": .pypi, "tox": .pypi, "nox": .pypi, "npm": .npm, "npx": .npm, "yarn": .npm, "pnpm": .npm,
        "bundle": .rubygems, "bundler": .rubygems, "gem": .rubygems, "go": .go, "cargo": .crates, "cabal": .hackage, "stack": .hackage, "mvn": .maven,
        "./mvnw": .maven, "gradle": .maven, "./gradlew": .maven, "cpanm": .cpan, "cpan": .cpan, "composer": .packagist, "luarocks": .luarocks, "mix": .hex,
        "rebar3": .hex, "opam": .opam, "Rscript": .cran,
    ]

    /// Where they answer, by the end of the host's name.
    private static let hosts: [(end: String, registry: Registry)] = [
        ("pypi.org", .pypi), ("pythonhosted.org", .pypi), ("npmjs.org", .npm), ("npmjs.com", .npm), ("yarnpkg.com", .npm), ("rubygems.org", .rubygems),
        ("proxy.golang.org", .go), ("sum.golang.org", .go), ("crates.io", .crates), ("hackage.haskell.org", .hackage), ("maven.apache.org", .maven),
        ("maven.org", .maven), ("plugins.gradle.org", .maven), ("cpan.org", .cpan), ("metacpan.org", .cpan), ("packagist.org", .packagist),
        ("luarocks.org", .luarocks), ("hex.pm", .hex), ("opam.ocaml.org", .opam), ("r-project.org", .cran),
    ]

    /// Lists and projects of a recipe that come from one.
    private static let managers: [String: Registry] = [
        "pip": .pypi, "poetry": .pypi, "uv": .pypi, "npm": .npm, "yarn": .npm, "pnpm": .npm, "gem": .rubygems, "go": .go, "cargo": .crates, "maven": .maven,
        "composer": .packagist,
    ]

    /// The one that a script asks first: its lines' commands, whatever is set or changed into before them.
    static func asked(by script: String) -> Registry? {
        for command in script.split(whereSeparator: { "\n;|&".contains($0) }) {
            let words = command.split(whereSeparator: \.isWhitespace).drop { $0.contains("=") || ["env", "exec", "time", "!"].contains($0) }
            if let first = words.first, let registry = clients[String(first)] { return registry }
        }
        return nil
    }

    /// The one that a lack says cannot be reached; nil where it is another host, or a thing that is no network.
    static func unreachable(_ lack: Lack, by command: String) -> Registry? {
        guard lack.kind == .network, lack.confidence > .possible else { return nil }
        if let known = hosts.first(where: { lack.subject == $0.end || lack.subject.hasSuffix("." + $0.end) }) { return known.registry }
        return asked(by: command)
    }

    /// The one without which a change of a recipe cannot be built.
    static func needed(for patch: RecipePatch) -> Registry? {
        switch patch {
        case .package(let manager, _), .manifest(let manager, _, _): managers[manager]
        case .step(_, let run): asked(by: run)
        default: nil
        }
    }
}
