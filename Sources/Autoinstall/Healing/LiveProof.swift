import Foundation
import Linux
import Recipes

/// Proves what was mended in running machines: builds the recipe with all of it from clean, runs its checks, and only then changes the file.
public struct LiveProof {
    public struct Report: Encodable, Sendable {
        public var proven: [String] = []
        public var refuted: [String] = []
        public var written = false
    }

    let workbench: Workbench
    let file: String
    let read: (String) throws -> Recipe
    let tell: (String) -> Void
    private(set) var ledger: LiveLedger

    /// - Parameters:
    ///   - repository: its folder, absolute.
    ///   - file: its recipe.
    public init(
        repository: String, file: String, home: String, workbench: Workbench, read: @escaping (String) throws -> Recipe, tell: @escaping (String) -> Void
    ) throws {
        ledger = try LiveLedger(home: home, repository: repository)
        (self.workbench, self.file, self.read, self.tell) = (workbench, file, read, tell)
    }

    /// Proves until nothing is pending; waits for another process that does.
    ///
    /// - Parameter write: puts the recipe in its place.
    public mutating func run(deadline: ContinuousClock.Instant, write: (String) throws -> Void) throws -> Report {
        var report = Report()
        let lock = try ledger.proofLock()
        try withExtendedLifetime(lock) {
            while ContinuousClock.now < deadline {
                try ledger.reload()
                let pending = ledger.entries.filter { $0.state == .pending }
                if pending.isEmpty { return }
                // All of it together, and where that fails each for itself: one that does not help is no reason to lose the others.
                if try prove(pending, deadline, &report, write) { continue }
                for entry in pending where pending.count > 1 { _ = try prove([entry], deadline, &report, write) }
            }
        }
        return report
    }

    private mutating func prove(
        _ entries: [LiveLedger.Entry], _ deadline: ContinuousClock.Instant, _ report: inout Report, _ write: (String) throws -> Void
    ) throws -> Bool {
        let before = try Recipe.text(of: file)
        var text = before
        for entry in entries {
            let fix = Fix(change: .remedy(entry.remedy), targets: [], round: 0, why: entry.remedy.reason)
            do { text = try fix.applied(to: text, read: read) } catch let refusal as RecipeText.Refusal {
                // It may say so already; then the proof is of what is there.
                tell("\(entry.remedy.reason): \(refusal)")
            }
        }
        let problem = try problem(text, probes: entries.compactMap(\.probe), deadline)
        if let problem, entries.count > 1 {
            tell("together they do not work: \(problem)")
            return false
        }
        if problem == nil, text != before {
            // Whoever changed the recipe meanwhile goes first; the next time round is with what is there then.
            guard try Recipe.text(of: file) == before else { return true }
            try write(text)
            report.written = true
        }
        let mark = try ledger.lock()
        try withExtendedLifetime(mark) {
            try ledger.reload()
            for entry in entries {
                try ledger.change(entry.remedy.lack) { ($0.state, $0.note) = (problem == nil ? .proven : .refuted, problem) }
                if problem == nil {
                    report.proven.append(entry.remedy.lack.description)
                } else {
                    report.refuted.append("\(entry.remedy.lack): \(problem ?? "")")
                }
            }
        }
        return problem == nil
    }

    /// Why a machine that is built from clean does not do; nil when it does.
    private func problem(_ text: String, probes: [String], _ deadline: ContinuousClock.Instant) throws -> String? {
        var proof = RecipeText(text)
        for (index, probe) in probes.enumerated() {
            try proof.append(["checks"], .map([("name", .scalar("mended \(index + 1)")), ("run", .script(probe))]), why: "for the proof alone")
        }
        tell("proof: every step from the base on, \(probes.count) probes and all checks")
        var meter = Meter()
        let attempt = try workbench.attempt(try read(proof.text), goals: [:], fromClean: true, deadline: deadline, meter: &meter)
        if let broken = attempt.broken { return "\(broken.target.name) ended with \(broken.exit)" }
        let bad = attempt.runs.filter { !$0.outcome.isReached }.map(\.goal.name)
        return bad.isEmpty ? nil : "not reached: \(bad.joined(separator: ", "))"
    }
}
