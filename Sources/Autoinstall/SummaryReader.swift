/// How one runner says how many tests ran: lines that count, and the numbers on them.
struct SummaryReader: Sendable {
    enum Count: Sendable { case total, passed, failed, skipped }

    struct Rule: Sendable {
        let line: Pattern
        /// Looked for on such a line; the first group is the number, and without a group the line counts for one.
        let counts: [(Count, Pattern)]
    }

    enum Together: Sendable {
        /// Each part of a project has its own summary.
        case sum
        /// Summaries hold each other; the largest is of all.
        case largest
    }

    let rules: [Rule]
    var together = Together.sum
    /// Used when none of the rules found anything.
    var otherwise: [Rule] = []

    /// What one line says.
    private struct Numbers {
        var total: Int?
        var passed: Int?
        var failed = 0
        var skipped = 0

        mutating func add(_ count: Count, _ number: Int) {
            switch count {
            case .total: total = (total ?? 0) &+ number
            case .passed: passed = (passed ?? 0) &+ number
            case .failed: failed &+= number
            case .skipped: skipped &+= number
            }
        }
    }

    func read(_ text: SourceText, _ runner: TestSummary.Runner) -> TestSummary? {
        guard let numbers = numbers(rules, text) ?? numbers(otherwise, text) else { return nil }
        // A total counts those too that were skipped.
        let passed = numbers.passed ?? (numbers.total ?? 0) - numbers.failed - numbers.skipped
        return TestSummary(runner, passed: passed, failed: numbers.failed, skipped: numbers.skipped)
    }

    private func numbers(_ rules: [Rule], _ text: SourceText) -> Numbers? {
        var sum: Numbers?
        for rule in rules {
            var lines: Set<Int> = []
            for match in text.matches(rule.line, limit: 100_000) where lines.insert(match.line).inserted {
                let line = text.line(match.line)
                var own = Numbers()
                for (count, pattern) in rule.counts {
                    guard let found = pattern.firstMatch(line) else { continue }
                    // A number that long is no count.
                    guard found.count > 1 else {
                        own.add(count, 1)
                        continue
                    }
                    if let number = found.dropFirst().compactMap({ $0 }).first.flatMap({ Int($0) }), number < 100_000_000 { own.add(count, number) }
                }
                switch together {
                case .largest where (sum?.total ?? -1) >= (own.total ?? 0): continue
                case .largest: sum = own
                case .sum:
                    var all = sum ?? Numbers()
                    if let total = own.total { all.add(.total, total) }
                    if let passed = own.passed { all.add(.passed, passed) }
                    all.add(.failed, own.failed)
                    all.add(.skipped, own.skipped)
                    sum = all
                }
            }
        }
        return sum
    }

    private static func rule(_ line: StaticString, _ counts: [(Count, StaticString)]) -> Rule {
        Rule(line: Pattern(known: line), counts: counts.map { ($0.0, Pattern(known: $0.1)) })
    }

    private static let tapRules = [
        rule(
            #"^not ok\b"#,
            [(.failed, #"^not ok\b[^#]*$"#), (.failed, #"^not ok\b[^#]*#\s*[^#tTsS\s]"#), (.skipped, #"(?i)#\s*(?:todo|skip)"#), (.total, #"^not ok\b"#)]),
        rule(#"^ok\b"#, [(.skipped, #"(?i)#\s*skip"#), (.total, #"^ok\b"#)]), rule(#"^1\.\.0\b"#, [(.total, #"^1\.\.(0)"#)]),
    ]

    /// `Tests/AutoinstallTests/Fixtures/summaries` has what each of them prints, in its own form.
    static let readers: [TestSummary.Runner: SummaryReader] = [
        .pytest: SummaryReader(rules: [
            rule(
                #"(?:\d+ (?:passed|failed|skipped|errors?|xfailed|xpassed|deselected|warnings?)\b.*|no tests ran )in \d[\d.]*s"#,
                [
                    (.passed, #"\b(\d+) passed"#), (.passed, #"\b(\d+) xfailed"#), (.passed, #"\b(\d+) xpassed"#), (.failed, #"\b(\d+) failed"#),
                    (.failed, #"\b(\d+) errors?\b"#), (.skipped, #"\b(\d+) skipped"#),
                ])
        ]),
        .unittest: SummaryReader(rules: [
            rule(#"^Ran \d+ tests?(?: in|\.)"#, [(.total, #"^Ran (\d+)"#)]),
            rule(
                #"^(?:OK|FAILED)(?: \(.*\))?\s*$"#, [(.failed, #"\bfailures=(\d+)"#), (.failed, #"\berrors=(\d+)"#), (.skipped, #"\bskipped=(\d+)"#)]),
        ]),
        .ctest: SummaryReader(rules: [
            rule(#"\d+% tests passed, \d+ tests? failed out of \d+"#, [(.total, #"out of (\d+)"#), (.failed, #", (\d+) tests? failed"#)]),
            rule(#"^\s*\d+ - .* \((?:Skipped|Disabled)\)\s*$"#, [(.skipped, #"Skipped|Disabled"#)]),
            rule(#"^No tests were found"#, []),
        ]),
        .automake: SummaryReader(
            rules: [
                rule(#"^# TOTAL:\s+\d+"#, [(.total, #"(\d+)"#)]), rule(#"^# SKIP:\s+\d+"#, [(.skipped, #"(\d+)"#)]),
                rule(#"^# (?:FAIL|XPASS|ERROR):\s+\d+"#, [(.failed, #"(\d+)"#)]),
            ],
            otherwise: [
                rule(#"^All \d+ tests (?:passed|behaved as expected)"#, [(.total, #"(\d+)"#)]),
                rule(#"^\d+ of \d+ tests? failed"#, [(.failed, #"^(\d+)"#), (.total, #"of (\d+)"#)]),
            ]),
        .meson: SummaryReader(rules: [
            rule(#"^(?:Ok|Expected Fail):\s+\d+\s*$"#, [(.passed, #"(\d+)"#)]), rule(#"^Skipped:\s+\d+\s*$"#, [(.skipped, #"(\d+)"#)]),
            rule(#"^(?:Fail|Unexpected Pass|Timeout):\s+\d+\s*$"#, [(.failed, #"(\d+)"#)]),
        ]),
        .go: SummaryReader(
            rules: [
                rule(#"^--- PASS:"#, [(.passed, "PASS")]), rule(#"^--- FAIL:"#, [(.failed, "FAIL")]), rule(#"^--- SKIP:"#, [(.skipped, "SKIP")]),
                rule(#"^FAIL\s+\S+ \[(?:build|setup) failed\]"#, [(.failed, "FAIL")]),
            ],
            // Without -v only packages are told.
            otherwise: [
                rule(#"^ok\s+\S+\s+(?:\(cached\)|[\d.]+s)"#, [(.passed, #"^ok.*(?:s|cached\))(?:\s+coverage.*)?\s*$"#)]),
                rule(#"^FAIL\s+\S+\s"#, [(.failed, "FAIL")]),
                rule(#"\[no test files\]|\[no tests to run\]"#, []),
            ]),
        .cargo: SummaryReader(rules: [
            rule(#"^test result: \w+\. \d+ passed"#, [(.passed, #"(\d+) passed"#), (.failed, #"(\d+) failed"#), (.skipped, #"(\d+) ignored"#)])
        ]),
        .mocha: SummaryReader(rules: [
            rule(#"^\s*\d+ passing\b"#, [(.passed, #"(\d+)"#)]), rule(#"^\s*\d+ pending\s*$"#, [(.skipped, #"(\d+)"#)]),
            rule(#"^\s*\d+ failing\s*$"#, [(.failed, #"(\d+)"#)]),
        ]),
        .jest: SummaryReader(rules: [
            rule(
                #"^Tests:\s+(?:\d+ \w+, )*\d+ total"#,
                [
                    (.passed, #"(\d+) passed"#), (.failed, #"(\d+) failed"#), (.skipped, #"(\d+) skipped"#), (.skipped, #"(\d+) todo"#),
                    (.total, #"(\d+) total"#),
                ])
        ]),
        .vitest: SummaryReader(rules: [
            rule(
                #"^\s*Tests\s+(?:\d+ \w+ ?\|? ?)+\(\d+\)|^No test files found"#,
                [
                    (.passed, #"(\d+) passed"#), (.failed, #"(\d+) failed"#), (.skipped, #"(\d+) skipped"#), (.skipped, #"(\d+) todo"#),
                    (.total, #"\((\d+)\)"#),
                ])
        ]),
        .ava: SummaryReader(rules: [
            rule(#"^\s*\d+ tests? passed\s*$"#, [(.passed, #"(\d+)"#)]), rule(#"^\s*\d+ tests? failed\s*$"#, [(.failed, #"(\d+)"#)]),
            rule(#"^\s*\d+ (?:uncaught exceptions?|unhandled rejections?)\s*$"#, [(.failed, #"(\d+)"#)]),
            rule(#"^\s*\d+ tests? (?:skipped|todo)\s*$"#, [(.skipped, #"(\d+)"#)]),
        ]),
        .surefire: SummaryReader(rules: [
            rule(
                #"Tests run: \d+, Failures: \d+, Errors: \d+, Skipped: \d+\s*$"#,
                [(.total, #"run: (\d+)"#), (.failed, #"Failures: (\d+)"#), (.failed, #"Errors: (\d+)"#), (.skipped, #"Skipped: (\d+)"#)]),
            rule(#"No tests to run\."#, []),
        ]),
        .junitConsole: SummaryReader(rules: [
            rule(
                #"^\[\s*\d+ tests (?:successful|failed|aborted|skipped)\s*\]"#,
                [
                    (.passed, #"(\d+) tests successful"#), (.failed, #"(\d+) tests failed"#), (.skipped, #"(\d+) tests aborted"#),
                    (.skipped, #"(\d+) tests skipped"#),
                ])
        ]),
        // Gradle itself counts only when something failed; the goal prints the heads of its reports.
        .gradle: SummaryReader(
            rules: [
                rule(
                    #"<testsuite .*\btests="\d+""#,
                    [
                        (.total, #"\btests="(\d+)""#), (.failed, #"\bfailures="(\d+)""#), (.failed, #"\berrors="(\d+)""#), (.skipped, #"\bskipped="(\d+)""#),
                    ])
            ],
            otherwise: [
                rule(#"^\d+ tests? completed"#, [(.total, #"^(\d+)"#), (.failed, #"(\d+) failed"#), (.skipped, #"(\d+) skipped"#)])
            ]),
        .prove: SummaryReader(rules: [
            rule(#"^Files=\d+, Tests=\d+,"#, [(.total, #"Tests=(\d+)"#)]),
            rule(#"^Failed \d+/\d+ test programs\. \d+/\d+ subtests failed"#, [(.failed, #"\. (\d+)/"#)]),
            // Programs that died before a test could fail.
            rule(#"^Failed \d+/\d+ test programs\. 0/"#, [(.failed, #"^Failed (\d+)/"#)]), rule(#"^Result: NOTESTS"#, []),
        ]),
        .tap: SummaryReader(rules: tapRules),
        .nodeTest: SummaryReader(rules: [
            rule(#"^(?:#|ℹ) pass\s+\d+\s*$"#, [(.passed, #"(\d+)\s*$"#)]),
            rule(#"^(?:#|ℹ) (?:fail|cancelled)\s+\d+\s*$"#, [(.failed, #"(\d+)\s*$"#)]),
            rule(#"^(?:#|ℹ) (?:skipped|todo)\s+\d+\s*$"#, [(.skipped, #"(\d+)\s*$"#)]),
        ]),
        .rspec: SummaryReader(rules: [
            rule(
                #"^\d+ examples?, \d+ failures?"#,
                [(.total, #"^(\d+)"#), (.failed, #"(\d+) failures?"#), (.skipped, #"(\d+) pending"#), (.failed, #"(\d+) errors? occurred outside"#)])
        ]),
        .minitest: SummaryReader(rules: [
            rule(
                #"^\d+ (?:runs|tests), \d+ assertions, \d+ failures, \d+ errors"#,
                [
                    (.total, #"^(\d+)"#), (.failed, #"(\d+) failures"#), (.failed, #"(\d+) errors"#), (.skipped, #"(\d+) skips"#),
                    (.skipped, #"(\d+) pendings"#), (.skipped, #"(\d+) omissions"#),
                ])
        ]),
        .phpunit: SummaryReader(rules: [
            rule(#"^OK \(\d+ tests?, \d+ assertions?\)"#, [(.total, #"\((\d+)"#)]),
            rule(
                #"^Tests: \d+, Assertions: \d+"#,
                [
                    (.total, #"Tests: (\d+)"#), (.failed, #"Failures: (\d+)"#), (.failed, #"Errors: (\d+)"#), (.skipped, #"Skipped: (\d+)"#),
                    (.skipped, #"Incomplete: (\d+)"#),
                ]), rule(#"^No tests executed!"#, []),
        ]),
        .exUnit: SummaryReader(rules: [
            rule(
                #"^(?:\d+ (?:doctests?|properties|property|tests?), )*\d+ tests?, \d+ failures?|^\d+ doctests?, \d+ failures?"#,
                [
                    (.total, #"(\d+) tests?\b"#), (.total, #"(\d+) doctests?\b"#), (.total, #"(\d+) propert"#), (.failed, #"(\d+) failures?"#),
                    (.skipped, #"(\d+) skipped"#), (.skipped, #"(\d+) excluded"#),
                ])
        ]),
        .eUnit: SummaryReader(rules: [
            rule(#"^\s*All \d+ tests passed\."#, [(.passed, #"(\d+)"#)]), rule(#"^\s*Test passed\."#, [(.passed, "Test")]),
            rule(
                #"^\s*Failed: \d+\.\s+Skipped: \d+\.\s+Passed: \d+"#,
                [(.failed, #"Failed: (\d+)"#), (.skipped, #"Skipped: (\d+)"#), (.passed, #"Passed: (\d+)"#)]),
            rule(#"^\d+ tests, \d+ failures"#, [(.total, #"^(\d+)"#), (.failed, #"(\d+) failures"#), (.skipped, #"(\d+) skips"#)]),
            rule(#"^Failed \d+ tests\. Passed \d+ tests\."#, [(.failed, #"Failed (\d+)"#), (.passed, #"Passed (\d+)"#), (.skipped, #"Skipped (\d+)"#)]),
        ]),
        .cabal: SummaryReader(
            rules: [
                rule(#"^\s*All \d+ tests passed"#, [(.total, #"(\d+)"#)]),
                rule(#"^\s*\d+ out of \d+ tests failed"#, [(.failed, #"^\s*(\d+)"#), (.total, #"of (\d+)"#)]),
                rule(#"^\d+ examples?, \d+ failures?"#, [(.total, #"^(\d+)"#), (.failed, #"(\d+) failures?"#), (.skipped, #"(\d+) pending"#)]),
                rule(#"^Cases: \d+\s+Tried: \d+\s+Errors: \d+"#, [(.total, #"Tried: (\d+)"#), (.failed, #"Errors: (\d+)"#), (.failed, #"Failures: (\d+)"#)]),
            ],
            otherwise: [rule(#"^\d+ of \d+ test suites \(\d+ of \d+ test cases\) passed"#, [(.passed, #"\((\d+) of"#), (.total, #"of (\d+) test cases"#)])]),
        .busted: SummaryReader(rules: [
            rule(
                #"^\d+ success(?:es)? / \d+ failures? / \d+ errors?"#,
                [(.passed, #"^(\d+)"#), (.failed, #"(\d+) failures?"#), (.failed, #"(\d+) errors?"#), (.skipped, #"(\d+) pending"#)])
        ]),
        .bats: SummaryReader(
            rules: [rule(#"^\d+ tests?, \d+ failures?"#, [(.total, #"^(\d+)"#), (.failed, #"(\d+) failures?"#), (.skipped, #"(\d+) skipped"#)])],
            otherwise: tapRules),
        .alcotest: SummaryReader(rules: [
            rule(#"^Test Successful in .*\. \d+ tests? run"#, [(.total, #"(\d+) tests? run"#)]),
            rule(#"^\d+ failures?! in .*\. \d+ tests? run"#, [(.failed, #"^(\d+)"#), (.total, #"(\d+) tests? run"#)]),
            rule(#"^Ran: \d+ tests in:"#, [(.total, #"(\d+)"#)]),
            rule(#"^FAILED: Cases: \d+"#, [(.failed, #"Failures: (\d+)"#), (.failed, #"Errors: (\d+)"#), (.skipped, #"Skip:\s*(\d+)"#)]),
        ]),
        .testthat: SummaryReader(
            rules: [
                rule(
                    #"\[ FAIL \d+ \| WARN \d+ \| SKIP \d+ \| PASS \d+ \]"#,
                    [(.failed, #"FAIL (\d+)"#), (.skipped, #"SKIP (\d+)"#), (.total, #"PASS (\d+)"#), (.passed, #"PASS (\d+)"#)])
            ], together: .largest),
        .tcltest: SummaryReader(
            rules: [
                rule(
                    #":\s+Total\s+\d+\s+Passed\s+\d+\s+Skipped\s+\d+\s+Failed\s+\d+"#,
                    [(.total, #"Total\s+(\d+)"#), (.passed, #"Passed\s+(\d+)"#), (.skipped, #"Skipped\s+(\d+)"#), (.failed, #"Failed\s+(\d+)"#)])
            ], together: .largest),
        .dotnet: SummaryReader(
            rules: [
                rule(
                    #"Failed:\s+\d+, Passed:\s+\d+, Skipped:\s+\d+, Total:"#,
                    [(.failed, #"Failed:\s+(\d+)"#), (.passed, #"Passed:\s+(\d+)"#), (.skipped, #"Skipped:\s+(\d+)"#)])
            ],
            otherwise: [
                rule(#"^Total tests: \d+"#, [(.total, #"(\d+)"#)]), rule(#"^\s+Failed: \d+"#, [(.failed, #"(\d+)"#)]),
                rule(#"^\s+Skipped: \d+"#, [(.skipped, #"(\d+)"#)]),
            ]),
        .swift: SummaryReader(
            rules: [
                rule(#"Executed \d+ tests?, with"#, [(.total, #"Executed (\d+)"#), (.failed, #"(\d+) failures?"#), (.skipped, #"(\d+) tests? skipped"#)]),
                rule(#"Test run with \d+ tests? .*(?:passed|failed) after"#, [(.total, #"with (\d+)"#), (.failed, #"failed after.*with (\d+) issue"#)]),
            ], together: .largest),
        .zig: SummaryReader(rules: [
            rule(#"^All \d+ tests passed\."#, [(.passed, #"(\d+)"#)]),
            rule(#"^\d+ passed; \d+ skipped; \d+ failed\."#, [(.passed, #"(\d+) passed"#), (.skipped, #"(\d+) skipped"#), (.failed, #"(\d+) failed"#)]),
            rule(#"\b\d+/\d+ tests passed"#, [(.passed, #"(\d+)/"#), (.failed, #"(\d+) failed"#), (.skipped, #"(\d+) skipped"#)]),
        ]),
        .googletest: SummaryReader(rules: [
            rule(#"^\[==========\] \d+ tests? from .* ran\."#, [(.total, #"\] (\d+)"#)]),
            rule(#"^\[  FAILED  \] \d+ tests?, listed"#, [(.failed, #"\] (\d+)"#)]),
            rule(#"^\[  SKIPPED \] \d+ tests?, listed"#, [(.skipped, #"\] (\d+)"#)]),
        ]),
        .dejagnu: SummaryReader(rules: [
            rule(#"^# of (?:expected passes|expected failures)\s+\d+"#, [(.passed, #"(\d+)"#)]),
            rule(#"^# of (?:unexpected failures|unexpected successes|unresolved testcases)\s+\d+"#, [(.failed, #"(\d+)"#)]),
            rule(#"^# of (?:unsupported|untested)"#, [(.skipped, #"(\d+)"#)]),
        ]),
        .dUnit: SummaryReader(rules: [
            rule(#"^\d+ modules passed unittests"#, [(.passed, #"(\d+)"#)]),
            rule(#"^\d+/\d+ modules FAILED unittests"#, [(.failed, #"^(\d+)"#), (.total, #"/(\d+)"#)]),
            rule(#"^\d+ test\(s\) run, \d+ failed"#, [(.total, #"^(\d+)"#), (.failed, #"(\d+) failed"#)]),
        ]),
        .plain: SummaryReader(
            rules: [
                rule(#"^\W*(?:[Tt]otal:? )?\d+ tests?\b.*\b\d+ passed\b.*\b\d+ failed\b"#, [(.passed, #"(\d+) passed"#), (.failed, #"(\d+) failed"#)])
            ],
            // A line for each test: `#12 it parses: PASSED`.
            otherwise: [
                rule(#"[:.\])] *\[?(?:PASSED|PASS)\]?\s*$"#, [(.passed, #"PASS(?:ED)?"#)]),
                rule(#"[:.\])] *\[?(?:FAILED|FAIL)\]?\s*$"#, [(.failed, #"FAIL(?:ED)?"#)]),
            ]),
    ]
}
