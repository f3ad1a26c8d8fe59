/// How many tests a run of a test runner had, read from what it printed.
///
/// This is what decides whether "the tests pass" is true: an exit code of 0 says nothing where no test ran.
public struct TestSummary: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Who says how many tests ran, and how.
    public enum Runner: String, Sendable, Codable, CaseIterable {
        case pytest, unittest, ctest, automake, meson, go, cargo, mocha, jest, vitest, ava, surefire, gradle, prove, rspec, minitest, phpunit, busted, cabal
        case nodeTest = "node-test"
        case junitConsole = "junit-console"
        case tap
        case exUnit = "exunit"
        case eUnit = "eunit"
        case bats, alcotest, testthat, tcltest, dotnet, swift, zig, googletest, dejagnu
        case dUnit = "dub"
        /// A harness of the project's own: `5 tests; 4 passed, 1 failed`.
        case plain
    }

    public var runner: Runner
    /// Passed and failed; those that were skipped did not run.
    public var ran: Int { passed + failed }
    public var passed: Int
    /// Errors too.
    public var failed: Int
    public var skipped: Int

    public init(_ runner: Runner, passed: Int, failed: Int = 0, skipped: Int = 0) {
        (self.runner, self.passed, self.failed, self.skipped) = (runner, max(0, passed), max(0, failed), max(0, skipped))
    }

    /// Something ran, and nothing failed.
    public var isGreen: Bool { passed > 0 && failed == 0 }

    public var description: String { "\(ran) ran, \(passed) passed, \(failed) failed, \(skipped) skipped (\(runner.rawValue))" }

    /// What lies further back was printed before the summary.
    private static let outputLimit = 4 << 20

    /// Reads a summary.
    ///
    /// - Parameters:
    ///   - output: both streams, with or without colours.
    ///   - runner: whose words to look for; nil: anyone's, the first that says something.
    /// - Returns: nil when nothing says how many ran, which is not the same as none.
    public static func parse(_ output: String, runner: Runner? = nil) -> TestSummary? {
        let text = SourceText(path: "", bytes: plain(Array(output.utf8.suffix(outputLimit))))
        if let runner { return SummaryReader.readers[runner]?.read(text, runner) }
        var empty: TestSummary?
        for runner in Runner.allCases {
            guard let summary = SummaryReader.readers[runner]?.read(text, runner) else { continue }
            if summary.ran + summary.skipped > 0 { return summary }
            empty = empty ?? summary
        }
        return empty
    }

    /// Without what colours the screen or writes over the line.
    private static func plain(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if let end = bytes.endOfControlSequence(at: at) {
                at = end
            } else {
                // What was written over is a line of its own.
                out.append(bytes[at] == UInt8(ascii: "\r") ? UInt8(ascii: "\n") : bytes[at])
                at += 1
            }
        }
        return out
    }
}
