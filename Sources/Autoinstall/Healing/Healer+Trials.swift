import Builder
import Foundation
import Recipes

/// Goals that are run once more, in machines of their own from the image that the last round made.
extension Healer {
    /// A goal that takes longer is not run again for each remedy.
    private static let quick = Duration.seconds(30)

    /// Tries remedies for one lack side by side, on as many cores as there are; only once the likeliest has not helped, as most often it does.
    ///
    /// - Returns: what is left of them, those first that were seen to help; those that were seen not to are gone.
    mutating func trial(_ remedies: [Remedy], _ lack: Lack, _ target: Fix.Target) throws -> [Remedy] {
        let key = LackKey(lack)
        let left = remedies.filter { !tried.contains(Tried(key: key, patches: $0.patches)) }
        guard left.count > 1, left.count < remedies.count, options.trials > 1, case .check(let name) = target, let run = runs[name], run.duration < Self.quick,
            let last = lastAttempt, let check = last.recipe.checks.first(where: { $0.name == name })
        else { return left }
        let candidates = left.compactMap { remedy in LiveScript.text(remedy).map { (remedy: remedy, script: $0) } }.prefix(options.trials)
        if candidates.count < 2 { return left }
        tell("  side by side: \(candidates.count) more remedies for \(lack)")
        let began = ContinuousClock.now
        defer { spent += ContinuousClock.now - began }
        let (runner, goal) = (workbench.runner(deadline, Self.quick * 4), goals[name])
        let runs = SideBySide<GoalRunner.Run?>(candidates.count) { index, _ in
            try runner.run(check, goal, after: candidates[index].script, last.image, last.recipe)
        }.run(width: candidates.count)
        var helped: [Remedy] = []
        for (candidate, result) in zip(candidates, runs) {
            // What could not be installed here says nothing of the recipe.
            guard let run = try result.get() else { continue }
            if run.outcome.isReached || !look(run).lacks.contains(where: { LackKey($0) == key }) {
                helped.append(candidate.remedy)
            } else {
                tried.insert(Tried(key: key, patches: candidate.remedy.patches))
            }
        }
        let first = Set(helped.map(\.patches))
        return helped + left.filter { !first.contains($0.patches) && !tried.contains(Tried(key: key, patches: $0.patches)) }
    }

    /// A goal that takes longer is not traced: it takes several times as long.
    private static let traceable = Duration.seconds(60)

    /// Of goals whose output tells nothing that helps, sees what they look for in vain, once each, and tries that.
    mutating func trace(_ failing: [Failing]) throws -> Bool {
        if hasTests { return false }
        var seen: [Failing] = []
        for item in failing.prefix(3) {
            guard case .check(let name) = item.target, let run = item.run, run.duration < Self.traceable, let last = lastAttempt,
                let check = last.recipe.checks.first(where: { $0.name == name }), ContinuousClock.now < deadline, traced.insert(name).inserted
            else { continue }
            tell("  once more, to see what it looks for: \(name)")
            let began = ContinuousClock.now
            defer { spent += ContinuousClock.now - began }
            guard let found = try workbench.runner(deadline, Self.traceable * 4).trace(check, goals[name], last.image, last.recipe) else { continue }
            var failure = item.failure
            (failure.missedFiles, failure.missedPrograms) = (found.record.missedFiles, found.record.missedPrograms)
            let told = Failing(target: item.target, failure: failure, lacks: lacks(failure), run: run)
            looked[name] = told
            seen.append(told)
        }
        return try choose(seen)
    }
}

extension LiveScript {
    /// All of a remedy; nil where a running machine cannot have some of it.
    static func text(_ remedy: Remedy) -> String? {
        let parts = remedy.patches.map { text($0) }
        return parts.contains { $0 == nil } ? nil : parts.compactMap { $0 }.joined(separator: "\n")
    }
}
