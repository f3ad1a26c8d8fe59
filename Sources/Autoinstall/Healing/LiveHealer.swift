import Foundation
import Recipes

/// Mends a machine that runs: finds out what it lacks, installs it there at once, and keeps what the recipe is to say for the proof.
///
/// What is installed lives in that machine alone. The recipe is only changed when a machine that was built from clean with the change has what was missing.
public struct LiveHealer {
    /// Runs a script in the machine, as root in its workspace.
    public typealias Runner = (_ script: String) throws -> (code: Int32, output: String)

    public struct Report: Encodable, Sendable {
        public struct Mended: Encodable, Sendable {
            public enum State: String, Encodable, Sendable {
                case installed
                /// Somebody mended the same in this machine before.
                case already
            }
            public let lack: String
            public let state: State
            public let reason: String
            public let patches: [RecipePatch]
            /// Parts that this machine cannot have while it runs; the recipe gets them.
            public let later: [RecipePatch]
        }

        public let machine: String
        public var mended: [Mended] = []
        public var blockers: [Blocker] = []
        /// What was tried in vain, each in a line.
        public var tried: [String] = []
        /// Whether the recipe is to be changed, once it is proven.
        public var isPending = false
        /// Where the proof in the background writes what it does.
        public var proof: String?
        public var notes: [String] = []

        public var text: String {
            var lines = mended.map { "\($0.state.rawValue): \($0.lack) (\($0.reason))" }
            for item in mended where !item.later.isEmpty { lines.append("not in this machine, but in the recipe: \(item.later.count) parts of it") }
            lines += tried.map { "tried in vain: \($0)" }
            for blocker in blockers {
                lines.append("missing: \(blocker.kind) \(blocker.subject): \(blocker.evidence)")
                lines.append("  \(blocker.whoCanFix.rawValue): \(blocker.suggestedFix)")
            }
            if let proof { lines.append("the recipe is changed when it is proven: \(proof)") }
            return (lines + notes.map { "note: \($0)" }).joined(separator: "\n")
        }
    }

    let machine: String
    let planner: RemedyPlanner
    let run: Runner
    let tell: (String) -> Void
    private(set) var ledger: LiveLedger

    /// - Parameters:
    ///   - repository: its folder, absolute.
    ///   - recipe: of the repository; nil where it has none.
    public init(
        machine: String, repository: String, recipe: Recipe?, home: String, run: @escaping Runner, tell: @escaping (String) -> Void
    ) throws {
        let files = try Repository(root: repository)
        let suite = recipe.map(RemedyContext.suite) ?? "bookworm"
        let index = try KnowledgeFolder(home: home).open(suite: suite, architecture: Recipe.hostArchitecture) { tell($0) }
        let known = IndexedPackages(index, architecture: Recipe.hostArchitecture)
        let found = try Probe(home: home, knowledge: known).run(files)
        let context = recipe.map { RemedyContext(files, found, recipe: $0, knowledge: known) } ?? RemedyContext(knowledge: known, suite: suite)
        self.init(machine: machine, planner: RemedyPlanner(context), ledger: try LiveLedger(home: home, repository: repository), run: run, tell: tell)
    }

    init(machine: String, planner: RemedyPlanner, ledger: LiveLedger, run: @escaping Runner, tell: @escaping (String) -> Void) {
        (self.machine, self.planner, self.ledger, self.run, self.tell) = (machine, planner, ledger, run, tell)
    }

    /// Where the proof in the background writes what it does.
    public var proofLog: String { ledger.proofLog }

    /// What is missing when this command is.
    public static func lacks(command: String) throws -> [Lack] {
        guard let name = command.split(separator: " ").first.map(String.init), !name.isEmpty else {
            throw AutoinstallError("usage", "no command is named", fix: "say --missing NAME")
        }
        return [Lack(.command, name, evidence: "\(name) is missing", rule: "reported")]
    }

    /// What is missing where a command printed this.
    public static func lacks(log: String, home: String) throws -> [Lack] {
        let found = try Diagnosis(home: home).findings(in: Failure(command: "", exitCode: 1, output: log)).filter { $0.kind != .failingTest }
        // What is only possible is tried where nothing better is known.
        let likely = found.filter { $0.confidence > .possible }
        return likely.isEmpty ? Array(found.prefix(3)) : likely
    }

    /// Mends what can be mended, one report at a time for a repository.
    public mutating func heal(_ lacks: [Lack]) throws -> Report {
        var report = Report(machine: machine)
        let lock = try ledger.lock()
        try withExtendedLifetime(lock) {
            try ledger.reload()
            for lack in lacks { try heal(lack, &report) }
        }
        report.isPending = ledger.entries.contains { $0.state == .pending }
        return report
    }

    private mutating func heal(_ lack: Lack, _ report: inout Report) throws {
        let probe = Self.probe(lack)
        if let known = ledger.entry(for: lack) {
            if known.machines.contains(machine), try has(probe) {
                report.mended.append(.init(lack: lack.description, state: .already, reason: known.remedy.reason, patches: known.remedy.patches, later: []))
                return
            }
            // The same remedy in another machine: the recipe has it, or will.
            if try carryOut(known.remedy, probe, &report) {
                return try ledger.change(lack) { if !$0.machines.contains(machine) { $0.machines.append(machine) } }
            }
        }
        let advice = planner.advice(for: lack)
        for remedy in advice.remedies where try carryOut(remedy, probe, &report) {
            return try ledger.add(.init(remedy: remedy, probe: probe, machines: [machine]))
        }
        report.blockers.append(advice.blocker)
    }

    /// Exits 0 where the lack is none.
    private static func probe(_ lack: Lack) -> String? {
        let word = ShellQuote.word(lack.subject)
        return switch (lack.kind, lack.language) {
        case (.command, _), (.compiler, _): "command -v \(word)"
        case (.module, "python"): "python3 -c \(ShellQuote.word("import \(lack.subject)"))"
        case (.module, "perl"): "perl -M\(word) -e 1"
        case (.pkgConfig, _): "pkg-config --exists \(word)"
        case (.file, _): "test -e \(word)"
        default: nil
        }
    }

    private func has(_ probe: String?) throws -> Bool { try probe.map { try run($0).code == 0 } ?? true }

    private func carryOut(_ remedy: Remedy, _ probe: String?, _ report: inout Report) throws -> Bool {
        let scripts = remedy.patches.compactMap { LiveScript.text($0) }
        if scripts.isEmpty { return false }
        tell("trying in \(machine): \(remedy.reason)")
        for script in scripts {
            let done = try run(script)
            if done.code != 0 {
                let last = done.output.split(separator: "\n").last.map(String.init) ?? "it printed nothing"
                report.tried.append("\(remedy.reason) (\(Evidence.shown(last)))")
                return false
            }
        }
        if try !has(probe) {
            report.tried.append("\(remedy.reason) (it is still missing)")
            return false
        }
        let later = remedy.patches.filter { LiveScript.text($0) == nil }
        report.mended.append(.init(lack: remedy.lack.description, state: .installed, reason: remedy.reason, patches: remedy.patches, later: later))
        return true
    }
}
