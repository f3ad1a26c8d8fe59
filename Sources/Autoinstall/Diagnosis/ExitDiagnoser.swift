/// What an exit code says when the output says nothing.
public struct ExitDiagnoser: Diagnoser {
    private static let fetcher = Pattern(
        known:
            #"\b(npm|yarn|pnpm|bundle|cargo|go|mvn|gradle|cabal|stack|mix|rebar3|composer|cpanm|luarocks|opam|pip|poetry|uv|dotnet|swift) (?:ci|install|i|add|build|test|mod|get|fetch|update|package|verify|deps\.get|sync|restore|download)\b"#
    )

    public init() {}

    public func findings(in failure: Failure) -> [Lack] {
        func lack(_ kind: Lack.Kind, _ subject: String, _ confidence: Lack.Confidence = .possible) -> [Lack] {
            [Lack(kind, subject, evidence: "exit code \(failure.exitCode)", confidence: confidence, rule: "exit-code")]
        }
        switch failure.exitCode {
        case 124:
            // A registry that does not answer keeps its manager waiting without a word.
            let fetcher = Self.fetcher.firstMatch(failure.command)?[1]
            return lack(.time, failure.command, .likely) + (fetcher.map { lack(.network, "the registry of \($0)") } ?? [])
        case 126: return lack(.permission, Self.firstWord(failure.command))
        // Killed without a word: the kernel does so when memory is out.
        case 137: return lack(.memory, "memory", .likely)
        case 127 where !failure.output.contains("not found"): return lack(.command, Self.firstWord(failure.command))
        // SIGBUS: a page of shared memory that could not be had.
        case 135: return lack(.sharedMemory, "shared memory")
        default: return []
        }
    }

    /// The program of a command, after assignments: `A=1 make -j2` is `make`.
    static func firstWord(_ command: String) -> String {
        let words = command.split(whereSeparator: \.isWhitespace).map(String.init)
        return words.first { !$0.contains("=") || $0.hasPrefix("/") || $0.hasPrefix(".") } ?? command
    }
}
