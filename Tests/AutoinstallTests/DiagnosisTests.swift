import Foundation
import Testing

@testable import Autoinstall

@Suite struct DiagnosisTests {
    static let files = ["build", "languages", "environment", "services", "tests"]

    @Test("what tools print says exactly what is missing", arguments: files)
    func fixtures(_ file: String) throws {
        let diagnosis = try Diagnosis()
        var fixtures = DiagnosisFixture.read(file)
        if ProcessInfo.processInfo.environment["TERRINE_WRITE_EXPECTED"] != nil {
            for index in fixtures.indices { fixtures[index].lacks = diagnosis.findings(in: Failure(fixtures[index].output)).map(\.told) }
            try DiagnosisFixture.write(fixtures, file)
        }
        for fixture in fixtures {
            let found = diagnosis.findings(in: Failure(fixture.output)).map(\.told)
            #expect(found == fixture.lacks, "\(file): \(fixture.name)")
            #expect(!found.isEmpty, "\(file): \(fixture.name)")
        }
    }

    @Test("what tools print on their way is no lack", arguments: DiagnosisFixture.read("negative"))
    func negatives(_ fixture: DiagnosisFixture) throws {
        let found = try Diagnosis().findings(in: Failure(fixture.output))
        #expect(found.map { "\($0.rule): \($0.told): \($0.evidence)" } == [])
    }

    @Test("every rule has real output that it understands")
    func everyRule() throws {
        let rules = try DiagnosisRules()
        var missing = Set(rules.rules.map(\.name))
        for file in Self.files {
            for fixture in DiagnosisFixture.read(file) { for lack in rules.findings(in: Failure(fixture.output)) { missing.remove(lack.rule) } }
        }
        #expect(missing.sorted() == [])
    }

    @Test("every kind of lack is told by a rule or by a diagnoser")
    func everyKind() throws {
        let told = Set(try DiagnosisRules().rules.map(\.kind)).union([.time])
        #expect(Lack.Kind.allCases.filter { !told.contains($0) } == [])
    }

    @Test("a thing that is missing is told once, with the line that says most")
    func once() throws {
        let output = """
            checking for curl... no
            /bin/sh: 1: protoc: not found
            make: protoc: No such file or directory
            a.c:1:10: fatal error: zlib.h: No such file or directory
            b.c:1:10: fatal error: zlib.h: No such file or directory
            """
        let lacks = try Diagnosis().findings(in: Failure(output))
        #expect(lacks.map(\.description) == ["command protoc", "header zlib.h"])
        #expect(lacks.map(\.line) == [2, 4])
        #expect(lacks[1].evidence == "a.c:1:10: fatal error: zlib.h: No such file or directory")
    }

    @Test("causes come before what follows from them, and tests last")
    func order() throws {
        let output = """
            FAILED test_a.py::test_f - assert 1 == 2
            ModuleNotFoundError: No module named 'yaml'
            gcc: fatal error: cannot execute 'cc1plus': execvp: No such file or directory
            curl: (6) Could not resolve host: files.example.com
            ERROR: No matching distribution found for pyyaml
            cp: error writing 'x': No space left on device
            """
        let lacks = try Diagnosis().findings(in: Failure(output))
        #expect(lacks.map(\.kind) == [.disk, .network, .compiler, .module, .failingTest])
    }

    @Test("colours, curly quotes and lines that were written over do not hide what is said")
    func plain() throws {
        let output =
            "  0%\r 50%\rsh: 1: jq: not found\r\n\u{1B}[31mModuleNotFoundError: No module named 'attrs'\u{1B}[0m\nchown: invalid user: \u{2018}bob\u{2019}\n"
        let lacks = try Diagnosis().findings(in: Failure(output))
        #expect(Set(lacks.map(\.description)) == ["command jq", "module python attrs", "user bob"])
    }

    @Test("an exit code speaks where the output is silent")
    func exitCodes() {
        func kinds(_ code: Int32) -> [Lack.Kind] { ExitDiagnoser().findings(in: Failure(command: "A=1 ./x -v", exitCode: code, output: "")).map(\.kind) }
        #expect(kinds(137) == [.memory])
        #expect(kinds(124) == [.time])
        let hung = ExitDiagnoser().findings(in: Failure(command: "npm install --no-audit", exitCode: 124, output: ""))
        #expect(hung.map(\.kind) == [.time, .network] && hung.last?.subject == "the registry of npm")
        #expect(kinds(126) == [.permission])
        #expect(kinds(127) == [.command])
        #expect(kinds(1) == [] && kinds(0) == [] && kinds(2) == [])
        #expect(ExitDiagnoser.firstWord("A=1 B=2 ./x -v") == "./x")
    }

    @Test("a user adds a rule, and puts one in the place of ours")
    func ownRules() throws {
        let home = FileManager.default.temporaryDirectory.appending(path: "diagnosis-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: home + "/diagnosers", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        let text = """
            version: 1
            rules:
              - { name: our-tool, kind: package, pattern: 'frobnicate wants (\\w+)', subject: 'frob-${1}', confidence: likely }
              - { name: shell-number, kind: file, pattern: '^nothing of the kind$', subject: x }
            """
        try text.write(toFile: home + "/diagnosers/ours.yaml", atomically: true, encoding: .utf8)
        let diagnosis = try Diagnosis(home: home)
        #expect(diagnosis.findings(in: Failure("frobnicate wants oil\n")).map(\.told) == ["package frob-oil (likely)"])
        #expect(diagnosis.findings(in: Failure("sh: 1: jq: not found\n")).isEmpty)
    }

    @Test(
        "a rule that is none is told with its line",
        arguments: [
            ("version: 2\nrules: []", "rules.yaml:1: a file of rules begins with `version: 1`"),
            ("version: 1\nrules:\n  - { name: a, kind: nonsense, pattern: x }", "rules.yaml:3: `nonsense` is no kind"),
            ("version: 1\nrules:\n  - { name: a, kind: file, pattern: '(' }", "rules.yaml:3: `pattern` is no pattern"),
            ("version: 1\nrules:\n  - { name: a, kind: file, pattern: x, colour: red }", "rules.yaml:3: `colour` is no key of a rule"),
            ("version: 1\nrules:\n  - { kind: file, pattern: x }", "rules.yaml:3: a rule needs `name`"),
            ("version: 1\nrules: [", "rules.yaml:3: this is not YAML"),
        ])
    func brokenRules(_ text: String, _ message: String) {
        let error = #expect(throws: AutoinstallError.self) { try DiagnosisRule.parse(Array(text.utf8), file: "rules.yaml") }
        #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "nothing")")
    }

    @Test("one of a pattern's literals is in everything that it matches")
    func literals() throws {
        func literals(_ pattern: String) -> [String] { RequiredLiteral.of(pattern).map { String(decoding: $0, as: UTF8.self) } }
        #expect(literals(#"^sh: \d+: (\S+): not found$"#) == [": not found"])
        #expect(literals("abc|defg") == ["abc", "defg"])
        #expect(literals("abc|d") == [])
        #expect(literals("(?i)abc") == [])
        #expect(literals("abcd?e") == ["abc"])
        #expect(literals("(?:abcdef|ghijk)l") == ["abcdef", "ghijk"])
        #expect(literals("(?:abcdef|ghijk)?lmn") == ["lmn"])
        #expect(literals(#"a\.b[x\]yz]cd"#) == ["a.b"])
        #expect(literals("ab{2,3}cde") == ["cde"])
        #expect(literals("a+bcd") == ["bcd"])
        let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/Autoinstall/Diagnosis")
        for file in Self.files {
            let lines = DiagnosisFixture.read(file).flatMap { $0.output.split(separator: "\n") }
            let rules = try DiagnosisRule.parse(Array(Data(contentsOf: sources.appending(path: "diagnose-\(file).yaml"))), file: file)
            for rule in rules where rule.scope == .line {
                let literals = rule.literals.map { String(decoding: $0, as: UTF8.self) }
                for line in lines where rule.pattern.isFound(in: line) { #expect(literals.isEmpty || literals.contains(where: line.contains), "\(rule.name)") }
            }
        }
    }

    @Test("every rule but a few has literals by which it is passed over")
    func cheapRules() throws {
        let without = try DiagnosisRules().rules.filter { $0.literals.isEmpty }.map(\.name).sorted()
        #expect(without.count <= 8, "\(without)")
    }
}
