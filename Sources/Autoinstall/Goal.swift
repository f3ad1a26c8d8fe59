/// A command that ought to work in the environment, and what it shows when it does.
public struct Goal: Hashable, Sendable, Codable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
        case test, build
        case imports = "import"
        case service, help, version, lint
    }

    /// Its own in a recipe.
    public var name: String
    /// For `/bin/sh -e -c` in the workspace.
    public var command: String
    public var kind: Kind
    public var exit: Int32
    /// What its output must match somewhere, a ``Pattern`` for one line; nil: anything.
    public var pattern: String?
    /// For tests: who says how many ran. Without one, green cannot be told from nothing.
    public var runner: TestSummary.Runner?
    public var evidence: Evidence
    /// From what it came.
    public var origin: String
    /// Smaller is better: among goals of one kind, the project's own words go before what its ecosystem usually does.
    public var rank: Int

    public init(
        _ kind: Kind, _ command: String, name: String? = nil, exit: Int32 = 0, pattern: String? = nil, runner: TestSummary.Runner? = nil,
        evidence: Evidence, origin: String, rank: Int = 50
    ) {
        (self.kind, self.command, self.exit, self.pattern, self.runner) = (kind, command, exit, pattern, runner)
        (self.evidence, self.origin, self.rank) = (evidence, origin, rank)
        self.name = name ?? "\(kind.rawValue): \(command)"
    }

    private enum CodingKeys: String, CodingKey { case name, command, kind, exit, pattern, runner, evidence, origin, rank }

    /// What a run of it shows.
    public enum Outcome: Hashable, Sendable {
        case reached(TestSummary?)
        case wrongExit(Int32)
        case outputWithout(String)
        /// Tests ended well, but none ran, or nothing says how many did.
        case nothingRan
        case testsFailed(TestSummary)

        public var isReached: Bool { if case .reached = self { true } else { false } }
    }

    /// Judges a run by its exit code and what it printed on both streams.
    ///
    /// Green is honest: tests of which none ran are not reached, whatever the exit code.
    public func judge(exit code: Int32, output: String) -> Outcome {
        let summary = kind == .test ? TestSummary.parse(output, runner: runner) ?? (runner == nil ? nil : TestSummary.parse(output)) : nil
        if let summary, summary.failed > 0 { return .testsFailed(summary) }
        if code != exit { return .wrongExit(code) }
        if let pattern {
            // A pattern that is none was told where it was read.
            let isFound = (try? Pattern(pattern)).map { SourceText(path: "", text: output).matches($0, limit: 1).isEmpty == false } ?? false
            if !isFound { return .outputWithout(pattern) }
        }
        if kind == .test { return summary.map { $0.isGreen ? .reached($0) : .nothingRan } ?? .nothingRan }
        return .reached(nil)
    }
}

extension [Goal] {
    /// The best first: tests, then what they stand on. Of equal commands the best stays.
    func ranked() -> [Goal] {
        let order = Dictionary(uniqueKeysWithValues: Goal.Kind.allCases.enumerated().map { ($0.element, $0.offset) })
        var seen: Set<String> = []
        return enumerated().sorted { a, b in
            (order[a.element.kind] ?? 0, a.element.rank, a.offset) < (order[b.element.kind] ?? 0, b.element.rank, b.offset)
        }.map(\.element).filter { seen.insert($0.command).inserted }
    }
}
