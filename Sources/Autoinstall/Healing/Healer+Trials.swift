import Builder
import Foundation
import Recipes

/// Remedies for one lack, tried side by side: each in a machine of its own from the image that the last round made, on as many cores as there are.
///
/// Only once the likeliest has not helped, as most often it does.
extension Healer {
    /// A goal that takes longer is not run again for each remedy.
    private static let quick = Duration.seconds(30)

    /// What is left of a lack's remedies, those first that were seen to help; those that were seen not to are gone.
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
        let (bench, goal, deadline, limit) = (workbench, goals[name], deadline, Self.quick * 4)
        let runs = SideBySide<GoalRunner.Run?>(candidates.count) { index, _ in
            try bench.trial(check, goal, after: candidates[index].script, last.image, last.recipe, deadline: deadline, limit: limit)
        }.run(width: candidates.count)
        var (helped, useless): ([Remedy], Set<[RecipePatch]>) = ([], [])
        for (candidate, result) in zip(candidates, runs) {
            // What could not be installed here says nothing of the recipe.
            guard let run = try result.get() else { continue }
            if run.outcome.isReached || !look(run).lacks.contains(where: { LackKey($0) == key }) {
                helped.append(candidate.remedy)
            } else {
                useless.insert(candidate.remedy.patches)
                tried.insert(Tried(key: key, patches: candidate.remedy.patches))
            }
        }
        let first = Set(helped.map(\.patches))
        return helped + left.filter { !first.contains($0.patches) && !useless.contains($0.patches) }
    }
}

extension LiveScript {
    /// All of a remedy; nil where a running machine cannot have some of it.
    static func text(_ remedy: Remedy) -> String? {
        let parts = remedy.patches.map { text($0) }
        return parts.contains { $0 == nil } ? nil : parts.compactMap { $0 }.joined(separator: "\n")
    }
}
