import Foundation
import Linux
import Recipes
import Synchronization
import Testing

@testable import Autoinstall

/// Stands for a running machine: knows which programs it has, and which packages bring some.
private final class FakeMachine: Sendable {
    private struct State {
        var programs: Set<String> = []
        var scripts: [String] = []
    }
    private let state = Mutex(State())
    /// Package -> programs.
    let registry: [String: [String]]

    init(_ registry: [String: [String]] = ["git": ["git"]]) { self.registry = registry }

    var installs: Int { state.withLock { $0.scripts.count { $0.contains("apt-get -qq install") } } }

    func run(_ script: String) -> (code: Int32, output: String) {
        state.withLock { state in
            state.scripts.append(script)
            if script.hasPrefix("command -v ") { return (state.programs.contains(String(script.dropFirst(11))) ? 0 : 1, "") }
            guard let package = script.split(separator: " ").last.map(String.init), let programs = registry[package] else {
                return (100, "E: Unable to locate package\n")
            }
            state.programs.formUnion(programs)
            return (0, "")
        }
    }
}

@Suite("Mending a machine that runs") struct LiveHealerTests {
    private func healer(_ machine: FakeMachine, _ name: String, home: String) throws -> LiveHealer {
        let planner = RemedyPlanner(RemedyContext(knowledge: try KnowledgeFixture.packages()))
        return LiveHealer(
            machine: name, planner: planner, ledger: try LiveLedger(home: home, repository: "/src/shop"), run: { machine.run($0) }, tell: { _ in })
    }

    private func entries(_ home: String) throws -> [LiveLedger.Entry] { try LiveLedger(home: home, repository: "/src/shop").entries }

    @Test("a missing command is installed at once, and waits for its proof")
    func command() throws {
        try withFolder { home in
            let machine = FakeMachine()
            var healer = try healer(machine, "a", home: home)
            let report = try healer.heal(try LiveHealer.lacks(command: "git status"))
            #expect(report.mended.map(\.state) == [.installed] && report.blockers.isEmpty && report.isPending)
            #expect(report.mended[0].patches == [.package(manager: "apt", name: "git")])
            #expect(try entries(home).map(\.state) == [.pending] && entries(home).map(\.machines) == [["a"]])
        }
    }

    @Test("agents that report the same lack get one fix: at once in one machine, and one for the recipe in several")
    func once() throws {
        try withFolder { home in
            let (first, second) = (FakeMachine(), FakeMachine())
            let failures = Mutex<[String]>([])
            let states = Mutex<[String]>([])
            let threads = try (0..<6).map { number in
                try PlainThread {
                    do {
                        var healer = try self.healer(number % 2 == 0 ? first : second, number % 2 == 0 ? "a" : "b", home: home)
                        let report = try healer.heal(try LiveHealer.lacks(command: "git"))
                        states.withLock { $0 += report.mended.map(\.state.rawValue) }
                    } catch { failures.withLock { $0.append("\(error)") } }
                }
            }
            for thread in threads { thread.join() }
            #expect(failures.withLock { $0 }.isEmpty)
            #expect(states.withLock { $0.sorted() } == ["already", "already", "already", "already", "installed", "installed"])
            #expect(first.installs == 1 && second.installs == 1)
            let all = try entries(home)
            #expect(all.count == 1 && all[0].machines.sorted() == ["a", "b"])
        }
    }

    @Test("what no package brings is a blocker that says who can mend it")
    func blocker() throws {
        try withFolder { home in
            // The registry has it, but it brings something else.
            let machine = FakeMachine(["git": []])
            var healer = try healer(machine, "a", home: home)
            let report = try healer.heal(try LiveHealer.lacks(command: "git") + LiveHealer.lacks(command: "no-such-program-anywhere"))
            #expect(report.mended.isEmpty && report.blockers.map(\.subject) == ["git", "no-such-program-anywhere"] && !report.isPending)
            #expect(report.tried.first?.hasSuffix("(it is still missing)") == true)
        }
    }

    @Test("a log says what is missing, and a test that fails is nothing to install")
    func log() throws {
        let found = try LiveHealer.lacks(log: "make: git: No such file or directory\nFAILED tests/test_a.py::test_b - assert 1 == 2\n", home: "")
        #expect(found.map(\.description) == ["command git"])
        #expect(throws: AutoinstallError.self) { try LiveHealer.lacks(command: " ") }
    }

    @Test("names of a log are words to a shell, and what a running machine cannot have is no script")
    func scripts() {
        #expect(LiveScript.text(.package(manager: "apt", name: "a;reboot"))?.hasSuffix("--no-install-recommends 'a;reboot'") == true)
        #expect(LiveScript.text(.package(manager: "pip", name: "foo>=1"))?.hasSuffix("--no-input 'foo>=1'") == true)
        for patch: RecipePatch in [.base("debian-trixie"), .memory(times: 2), .variable(name: "A", value: "b"), .goalPrefix("x")] {
            #expect(LiveScript.text(patch) == nil)
        }
        let redis = LiveScript.text(.service(name: "redis", database: nil, user: nil, host: "cache"))
        #expect(redis?.contains("redis-server") == true && redis?.contains("127.0.0.1 cache") == true)
    }

    @Test("a ledger that is damaged is told, with what mends it")
    func damage() throws {
        try withFolder { home in
            var ledger = try LiveLedger(home: home, repository: "/src/shop")
            try write("{", ledger.folder, "ledger.json")
            let error = #expect(throws: AutoinstallError.self) { try ledger.reload() }
            #expect(error?.fix?.contains("remove it") == true)
        }
    }
}
