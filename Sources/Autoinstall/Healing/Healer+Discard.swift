import Recipes

/// What does not work and is not needed goes: of a draft, whose every line is a guess; never of a recipe that somebody wrote.
extension Healer {
    /// Packages that their manager does not have, by what it says.
    private static let unavailable: [String: [Pattern]] = [
        "apt": [
            Pattern(known: #"Unable to locate package (\S+)"#), Pattern(known: #"Package '?([a-z0-9][a-z0-9+.-]*)'? has no installation candidate"#),
            Pattern(known: #"Package ([a-z0-9][a-z0-9+.-]*) is not available"#),
            // What does not go together with the others.
            Pattern(known: #"^\s*([a-z0-9][a-z0-9+.-]*)(?::\w+)? : (?:Conflicts|Depends|PreDepends|Breaks): "#),
        ],
        "pip": [Pattern(known: #"No matching distribution found for ([A-Za-z0-9][\w.-]*)"#)],
    ]

    /// Takes out packages that there are none of: a change of ours, or an entry of the draft.
    mutating func dropUnavailable() throws -> Bool {
        guard let broken, let manager = QuickPackages.manager(of: brokenID) ?? managerOfLayer else { return false }
        let source = SourceText(path: "", text: broken.failure.output)
        let names = Set((Self.unavailable[manager] ?? []).flatMap { source.matches($0) }.map { Self.bare($0.groups[1], manager) })
        var hasChanged = false
        for name in names.sorted() {
            func isOurs(_ fix: Fix) -> Bool {
                fix.remedy?.patches.contains { if case .package(manager, let own) = $0 { Self.bare(own, manager) == name } else { false } } ?? false
            }
            if fixes.contains(where: isOurs) {
                fixes.removeAll(where: isOurs)
                hasChanged = true
            } else if draft?.packages[manager]?.contains(where: { Self.bare($0.value, manager) == name }) == true {
                draft?.packages[manager]?.removeAll { Self.bare($0.value, manager) == name }
                notes.append("left out: \(manager) has no \(name), or not beside the others")
                hasChanged = true
            }
        }
        return hasChanged
    }

    private var managerOfLayer: String? { brokenID.hasPrefix("packages.") ? String(brokenID.dropFirst("packages.".count)) : nil }

    private static func bare(_ name: String, _ manager: String) -> String {
        let end = name.firstIndex { "=<>!~[ ;:/".contains($0) }
        let bare = end.map { String(name[..<$0]) } ?? name
        return manager == "pip" ? ImportNames.normalised(bare) : bare
    }

    /// A step that no remedy mends: what was changed for it last goes, then what the draft says of it.
    mutating func dropBroken() throws -> Bool {
        guard let broken else { return false }
        let id = brokenID
        let quick = QuickPackages.round(of: id)
        func concerns(_ fix: Fix) -> Bool {
            quick.map { fix.round == $0 && fix.concerns(step: "packages.\(QuickPackages.manager(of: id) ?? "")") } ?? fix.concerns(step: id)
        }
        if let last = fixes.last(where: concerns) {
            let round = last.round
            fixes.removeAll { $0.round == round && concerns($0) }
            tell("  taken back, the step fails with it: \(last.why)")
            return true
        }
        guard var draft else { return false }
        let why = broken.lacks.first { $0.kind != .failingTest }.map { "lacks \($0)" } ?? "ended with \(broken.failure.exitCode)"
        switch broken.target {
        case .step(let name):
            if let index = draft.steps.firstIndex(where: { $0.value.name == name }) {
                let note = "the step `\(name)` never worked and is left out: \(why)"
                droppedSteps.append((index, draft.steps.remove(at: index), note))
                notes.append(note)
            } else if id.hasPrefix("packages."), let key = lastFile(of: String(id.dropFirst("packages.".count)), draft) {
                let entry = draft.packageFiles[key]?.popLast()
                if draft.packageFiles[key]?.isEmpty == true { draft.packageFiles[key] = nil }
                notes.append("\(key.manager) could not install what \(entry?.value ?? key.key) asks for, which is left out: \(why)")
            } else {
                return false
            }
        case .service(let name):
            guard let index = draft.services.firstIndex(where: { $0.value.name == name }) else { return false }
            draft.services.remove(at: index)
            notes.append("the service \(name) never started and is left out: \(why)")
        case .check: return false
        }
        self.draft = draft
        return true
    }

    /// The distribution in the place of registries that cannot be reached. Each is asked once: a step of a draft that only fetches from one goes.
    mutating func replaceRegistries(_ failing: [Failing]) throws -> Bool {
        var hasChanged = false
        for item in failing {
            let found = item.lacks.lazy.compactMap { lack in Registry.unreachable(lack, by: item.failure.command).map { (lack, $0) } }.first
            guard let (lack, registry) = found, unreachable.insert(registry).inserted else { continue }
            let text = try text()
            let planner = try remedies(for: try read(text))
            block(lack, item.target, planner.advice(for: lack).blocker)
            let replacement = planner.distribution(insteadOf: registry, for: lack)
            if let replacement, let (fix, _) = try fix(replacement.remedy, item.target, text) {
                tell("  trying: \(fix.why)")
                fixes.append(fix)
                hasChanged = true
            }
            if dropLists(of: registry) {
                hasChanged = true
            } else if replacement?.isForClient != true, broken != nil, draft != nil, try dropBroken() {
                // What only fetches has nothing to do any more, whatever else is found.
                if let dropped = droppedSteps.last { restoredSteps.insert(dropped.step.value.name) }
                hasChanged = true
            }
        }
        return hasChanged
    }

    /// Takes out of a draft what a manager was to fetch from a registry, when that is what broke the build.
    private mutating func dropLists(of registry: Registry) -> Bool {
        guard let manager = managerOfLayer, draft != nil, Registry.needed(for: .package(manager: manager, name: "")) == registry else { return false }
        draft?.packages[manager] = nil
        draft?.projects[manager] = nil
        for key in draft?.packageFiles.keys.filter({ $0.manager == manager }) ?? [] { draft?.packageFiles[key] = nil }
        notes.append("left out: what \(manager) was to fetch, since \(registry) cannot be reached")
        return true
    }

    /// Puts back what was left out before something was found that it may have lacked; once.
    mutating func restoreSteps() {
        for (place, step, note) in droppedSteps.reversed() where restoredSteps.insert(step.value.name).inserted {
            let count = draft?.steps.count ?? 0
            draft?.steps.insert(step, at: min(place, count))
            notes.removeAll { $0 == note }
            tell("  once more: the step `\(step.value.name)`")
        }
        droppedSteps.removeAll()
    }

    private func lastFile(of manager: String, _ draft: RecipeDraft) -> RecipeDraft.ManagerKey? {
        draft.packageFiles.filter { $0.key.manager == manager && !$0.value.isEmpty }.map(\.key).max { $0.key < $1.key }
    }

    // MARK: Tests that fail for their own reasons

    /// Leaves tests out that fail alike a second time, with everything there: few, and each by its name.
    mutating func leaveOutFailingTests() throws {
        if hasTests || broken != nil { return }
        for run in runs.values.sorted(by: { $0.goal.rank < $1.goal.rank }) {
            guard case .testsFailed(let summary) = run.outcome, let candidates = candidates(run, summary) else { continue }
            let recipe = try read(try text(exploring: true))
            guard let command = recipe.checks.first(where: { $0.name == run.goal.name })?.run,
                let changed = Quarantine.command(command, without: candidates.map(\.test), runner: summary.runner)
            else { continue }
            tell("\(candidates.count) of \(summary.ran) tests fail with everything there: once more, to see whether they fail alike")
            let others = Set(recipe.checks.map(\.name)).subtracting([run.goal.name])
            _ = try attempt(recipe, skipping: others)
            guard let again = runs[run.goal.name], case .testsFailed(let second) = again.outcome,
                let same = self.candidates(again, second), Set(same.map(\.test)) == Set(candidates.map(\.test))
            else { continue }
            let names = candidates.map(\.test).joined(separator: ", ")
            let fix = Fix(
                change: .quarantine(check: run.goal.name, command: changed), targets: [.check(run.goal.name)], round: rounds,
                why: "left out, failed twice alike with everything present: \(names)")
            fixes.append(fix)
            if var goal = goals[run.goal.name] {
                goal.command = changed
                goals[run.goal.name] = goal
            }
            _ = try attempt(try read(try text(exploring: true)), skipping: others)
            if runs[run.goal.name]?.outcome.isReached == true {
                quarantined = candidates
                return
            }
            fixes.removeLast()
            goals[run.goal.name]?.command = command
        }
    }

    private func candidates(_ run: GoalRunner.Run, _ summary: TestSummary) -> [Quarantine.Entry]? {
        let failure = Failure(command: run.goal.command, exitCode: run.exit, output: run.output, goalKind: .test)
        let lacks = diagnosis?.findings(in: failure) ?? []
        // Something is missing: then that is why.
        if lacks.contains(where: { $0.kind != .failingTest && $0.confidence > .possible }) { return nil }
        return Quarantine.candidates(lacks.filter { $0.kind == .failingTest }, of: summary)
    }

    // MARK: The end of a round of rounds

    /// Takes goals out of a draft's checks that never worked, and changes that were for nothing else.
    mutating func settle() {
        let reached = reached
        if var draft {
            for entry in draft.checks where !reached.contains(entry.value.name) {
                let run = runs[entry.value.name]
                let why =
                    run.map { $0.outcome.problem(exit: $0.goal.exit) }
                    ?? (Self.isNeedless(entry.value, Array(runs.values)) ? "another goal runs the tests of this folder" : "nothing to run it in was built")
                discarded.append((entry.value, why))
            }
            draft.checks.removeAll { !reached.contains($0.value.name) }
            self.draft = draft
        }
        let (isBroken, isDraft, runs) = (broken != nil, original == nil, runs)
        var withdrawn: [Fix] = []
        fixes.removeAll { fix in
            let isOfUse = fix.targets.contains { target in
                switch target {
                case .check(let name):
                    // Tests that run and fail ran thanks to it.
                    if case .testsFailed? = runs[name]?.outcome { return !isDraft }
                    return reached.contains(name)
                case .step, .service: return !isBroken
                }
            }
            if !isOfUse { withdrawn.append(fix) }
            return !isOfUse
        }
        for fix in withdrawn { if case .secretStandIn(let name, _)? = fix.remedy?.patches.first { block(secret: name, fix.remedy?.lack.evidence ?? "") } }
    }

    mutating func block(secret name: String, _ evidence: String) {
        let lack = Lack(.secret, name, evidence: evidence, rule: "stand-in")
        let fix = "give \(name) to the build (`--secret \(name)=env:\(name)`): no made-up value will do"
        block(lack, .step("secrets"), Blocker(lack, fix, .secretHolder))
    }

    /// Once for each lack, whoever tells it.
    mutating func block(_ lack: Lack, _ target: Fix.Target, _ blocker: Blocker) {
        let key = LackKey(lack)
        if !blockers.contains(where: { $0.key == key }) { blockers.append((key, target, blocker)) }
    }

    /// Tests that skip what they lack, such as a service, pass without it: fewer that ran are a lack.
    private static func passed(_ run: GoalRunner.Run) -> Int { run.goal.kind == .test ? run.summary?.passed ?? 0 : 0 }

    /// Of changes that were made together for the same failure, those go without which the goals are reached too; as long as a quarter of the time left allows.
    mutating func minimise() throws {
        let together = Dictionary(grouping: fixes.filter { $0.remedy != nil }) { "\($0.round) \($0.targets.first.map { "\($0)" } ?? "")" }
        let candidates = together.values.filter { $0.count > 1 }.flatMap { $0 }.sorted { ($0.round, $0.why) < ($1.round, $1.why) }
        if candidates.isEmpty || broken != nil { return }
        let until = ContinuousClock.now + (deadline - .now) / 4
        let promised = reached
        for candidate in candidates where ContinuousClock.now < until {
            let (before, known) = (fixes, runs)
            fixes.removeAll { $0.why == candidate.why && $0.round == candidate.round }
            if fixes.count == before.count { continue }
            tell("is it needed? \(candidate.why)")
            let recipe = try read(try text(exploring: true))
            let checked = Set(candidate.targets.map(\.name))
            let isForGoals = candidate.targets.allSatisfy { if case .check = $0 { true } else { false } }
            _ = try attempt(recipe, skipping: isForGoals ? promised.subtracting(checked) : [])
            if broken == nil, promised.isSubset(of: reached), runs.allSatisfy({ Self.passed($0.value) >= known[$0.key].map(Self.passed) ?? 0 }) {
                notes.append("not needed after all, and left out: \(candidate.why)")
            } else {
                (fixes, runs, broken) = (before, known, nil)
            }
        }
    }
}
