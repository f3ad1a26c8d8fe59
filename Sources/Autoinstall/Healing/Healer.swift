import Builder
import Foundation
import Images
import Recipes

/// The loop: builds a recipe, runs its goals, finds out what the failures lack, changes the recipe, and goes on until it works or nothing helps.
///
/// What it decides on is a recipe's text and nothing else. Everything of the repository runs in machines; Docs/autoinstall.md says how it decides.
public struct Healer {
    public struct Options: Sendable {
        public var rounds = 8
        public var budget = Duration.seconds(1200)
        /// Whether a draft begins with what the distribution's own package of the project is built with.
        public var usesPackaging = false
        /// How many remedies are tried side by side.
        public var trials = min(4, ProcessInfo.processInfo.activeProcessorCount)

        public init() {}
    }

    /// A thing that is missing, whoever tells it.
    struct LackKey: Hashable {
        let kind: Lack.Kind
        let subject: String
        let language: String?

        init(_ lack: Lack) { (kind, subject, language) = (lack.kind, lack.subject, lack.language) }
    }

    struct Tried: Hashable {
        let key: LackKey
        let patches: [RecipePatch]
    }

    /// A goal or step that does not work, and what it lacks.
    struct Failing {
        let target: Fix.Target
        let failure: Failure
        let lacks: [Lack]
        var run: GoalRunner.Run?
    }

    let workbench: Workbench
    let folder: String
    let home: String
    let options: Options
    let read: (String) throws -> Recipe
    let proposer: (any Proposer)?
    let tell: (String) -> Void
    let deadline: ContinuousClock.Instant
    private let start: ContinuousClock.Instant

    /// The recipe that was there; nil where a draft is what is begun with.
    let original: String?
    var draft: RecipeDraft? { didSet { draftText = nil } }
    private var draftText: String?
    var fixes: [Fix] = []
    var tried: Set<Tried> = []
    var blockers: [(key: LackKey, target: Fix.Target, blocker: Blocker)] = []
    /// What is known of the checks of a draft, by name.
    var goals: [String: Goal] = [:]
    /// The last run of each goal, by name.
    var runs: [String: GoalRunner.Run] = [:]
    /// What those that failed lack, looked for once.
    var looked: [String: Failing] = [:]
    /// What broke the last build.
    var broken: Failing?
    /// What goals and steps that did not work printed last, by name.
    var lastFailures: [String: Failure] = [:]
    var notes: [String] = []
    /// Steps of a draft that failed and were left out: they have a second chance when something was found that may be what they lacked.
    var droppedSteps: [(place: Int, step: RecipeDraft.Entry<StepDraft>, note: String)] = []
    var restoredSteps: Set<String> = []
    /// Registries that could not be reached: nothing that needs one is tried again.
    var unreachable: Set<Registry> = [] { didSet { planner = nil } }
    var discarded: [(goal: Goal, why: String)] = []
    var quarantined: [Quarantine.Entry] = []
    /// Goals that were run once more to see what they look for.
    var traced: Set<String> = []
    var rounds = 0
    var isProven = false
    /// In package managers, steps and goals.
    var spent = Duration.zero
    /// Of one round.
    private var longest = Duration.zero
    /// What was running when the time was over.
    var interrupted: Meter.Interrupted?
    /// Opening indices of packages, and making those that are missed.
    var indexing = Duration.zero
    /// Steps that the first round found made.
    var firstCached: Set<String>?
    /// What the last attempt built, whether it worked or not.
    var lastAttempt: (image: Image, recipe: Recipe)?
    private var knowledge: (suite: String, packages: IndexedPackages)?
    private var planner: (suite: String, planner: RemedyPlanner)?
    private var repository: (Repository, Probe.Result)?

    /// - Parameters:
    ///   - folder: the repository, absolute.
    ///   - home: TERRINE_HOME.
    ///   - original: the text of the recipe that is there, if one is.
    ///   - read: checks a recipe's text.
    ///   - tell: is told what goes on.
    public init(
        _ folder: String, home: String, original: String?, workbench: Workbench, options: Options = Options(), proposer: (any Proposer)? = nil,
        read: @escaping (String) throws -> Recipe, tell: @escaping (String) -> Void
    ) {
        (self.folder, self.home, self.original, self.workbench, self.options) = (folder, home, original, workbench, options)
        (self.proposer, self.read, self.tell) = (proposer, read, tell)
        start = .now
        deadline = start + options.budget
    }

    // MARK: The way

    /// Heals, as far as rounds and time allow.
    ///
    /// - Throws: what is neither the recipe's nor the repository's fault: a host that cannot run machines, a store that is damaged, ``BuildError`` `cancelled`.
    public mutating func heal() throws -> HealingReport {
        do {
            if original == nil { try begin() }
            try proveOrStop()
        } catch let error as BuildError where error.code == "cancelled" && ContinuousClock.now >= deadline {
            let last = interrupted.map { ", in the \($0)" } ?? ""
            notes.append("the time was over: \(options.budget.formatted()) (--budget)\(last)")
        } catch let error as BuildError where error.code == "missingSecret" {
            let recipe = try read(try text())
            for secret in recipe.secrets where secret.isRequired { block(secret: secret.name, error.message) }
        }
        var spending: ModelProposer.Spent?
        if let proposer { spending = try waiting { await proposer.spending } }
        return try report(seconds: ContinuousClock.now - start, model: spending)
    }

    private mutating func proveOrStop() throws {
        for proof in 0..<3 {
            try explore()
            // As it was, and everything ran just now.
            if original != nil, fixes.isEmpty, failing.isEmpty { return }
            try leaveOutFailingTests()
            settle()
            try minimise()
            let recipe = try read(try text())
            let isWorth = runs.values.contains { $0.outcome.isReached } && !recipe.checks.isEmpty
            // Without a change there is nothing to prove.
            guard isWorth, original == nil || !fixes.isEmpty else { return }
            if ContinuousClock.now >= deadline { return notes.append("there was no time left for the proof") }
            tell("proof: every step from the base on, and all goals")
            let promised = original == nil ? Set(recipe.checks.map(\.name)) : reached
            let attempt = try attempt(recipe, fromClean: true)
            let bad =
                attempt.broken.map { [$0.target.name] } ?? attempt.runs.filter { !$0.outcome.isReached && promised.contains($0.goal.name) }.map(\.goal.name)
            if bad.isEmpty {
                isProven = true
                return
            }
            exploresPlainly = true
            notes.append("the proof from clean failed: \(bad.joined(separator: ", "))")
            // What failed is looked at like any other failure, if there is time.
            if rounds >= options.rounds || proof == 2 { return }
        }
    }

    private mutating func explore() throws {
        var more = 0
        while rounds < options.rounds {
            rounds += 1
            let recipe = try read(try text(exploring: true))
            tell("round \(rounds): \(recipe.steps.count + recipe.packages.requests.count) steps, \(recipe.checks.count - reached.count) goals to reach")
            let began = ContinuousClock.now
            _ = try attempt(recipe, skipping: reached)
            longest = max(longest, .now - began)
            let failing = open
            if failing.isEmpty { return }
            // The proof takes about as long as the longest round, and without it all is for nothing.
            if hasTests, ContinuousClock.now + longest * 1.5 > deadline {
                return notes.append("what is left of \(options.budget.formatted()) is for the proof: goals beside the tests were not mended")
            }
            for item in failing { tell("  \(item.target.name): \(Self.summary(item))") }
            withdrawUseless(failing)
            if try dropUnavailable() { continue }
            if try replaceRegistries(failing) { continue }
            if try choose(failing) { more += hasTests ? 1 : 0 } else if try dropBroken() {} else if try !trace(failing), try !propose(failing) { return }
            // Once tests run, what is left is worth a little more, and not everything.
            if more > 2 { return }
        }
        if !open.isEmpty { notes.append("the rounds were over: \(options.rounds) (--max-rounds)") }
    }

    private static func summary(_ item: Failing) -> String {
        let lacks = item.lacks.filter { $0.kind != .failingTest && $0.confidence > .possible }.prefix(4).map(\.description)
        let problem = item.run.map { $0.outcome.problem(exit: $0.goal.exit) } ?? "ended with \(item.failure.exitCode)"
        return lacks.isEmpty ? problem : "\(problem); lacks \(lacks.joined(separator: ", "))"
    }

    // MARK: What is known

    var reached: Set<String> { Set(runs.filter { $0.value.outcome.isReached }.keys) }

    /// The project's own tests ran, and none failed.
    var hasTests: Bool { runs.values.contains { $0.goal.kind == .test && $0.outcome.isReached } }

    /// What does not work as far as the last attempt tells: the step that broke it, or goals.
    var failing: [Failing] {
        if let broken { return [broken] }
        return runs.values.filter { !$0.outcome.isReached }.sorted { $0.goal.name < $1.goal.name }.map { looked[$0.goal.name] ?? look($0) }
    }

    /// What is still worth trying: goals that were given up are not.
    private var open: [Failing] {
        let given = Set(discarded.map(\.goal.name))
        return failing.filter { !given.contains($0.target.name) }
    }

    func look(_ run: GoalRunner.Run) -> Failing {
        let failure = Failure(command: run.goal.command, exitCode: run.exit, output: run.output, goalKind: run.goal.kind)
        var lacks = lacks(failure)
        // Of what ended well only what is certain counts.
        if run.exit == run.goal.exit { lacks.removeAll { $0.confidence < .certain } }
        // Who wrote a recipe said who runs its checks.
        if original == nil, run.goal.kind == .test, run.summary.map({ $0.ran > 0 }) ?? false,
            lacks.allSatisfy({ $0.kind == .failingTest || $0.confidence == .possible })
        {
            // Root may do what tests expect to be refused.
            lacks.append(
                Lack(
                    .unprivileged, "root", evidence: "\(run.outcome.problem(exit: run.goal.exit)), as root", confidence: .possible, rule: Self.asRoot))
        }
        return Failing(target: .check(run.goal.name), failure: failure, lacks: lacks, run: run)
    }

    /// The rule of a lack that nothing names.
    static let asRoot = "tests-as-root"

    func lacks(_ failure: Failure) -> [Lack] { diagnosis?.findings(in: failure) ?? [] }

    /// Read once, when something fails; a mistake in a user's own rules is told by ``begin()`` or the first failure.
    var diagnosis: Diagnosis?

    /// The recipe as it is now. A change that does not fit any more goes.
    ///
    /// - Parameter exploring: packages that were added go into steps behind the layers of packages, which then need not be made again: the proof has them in their place.
    mutating func text(exploring: Bool = false) throws -> String {
        if draftText == nil { draftText = try draft?.text() }
        var text = original ?? draftText ?? ""
        var kept: [Fix] = []
        var quick = QuickPackages()
        for fix in fixes {
            if exploring, !exploresPlainly, quick.take(fix, try read(text)) {
                kept.append(fix)
                continue
            }
            do {
                text = try fix.applied(to: text, read: read)
                kept.append(fix)
            } catch is RecipeText.Refusal {
                // Another change says the same by now.
            } catch is RecipeDiagnostics { notes.append("left out, since the recipe could not be read with it: \(fix.why)") }
        }
        fixes = kept
        return exploring ? try bounded(try quick.put(into: text)) : text
    }

    /// What hangs while exploring, such as a manager whose registry does not answer, must not take all the time. Bounds are in no key.
    private func bounded(_ text: String) throws -> String {
        // An owner knows how long his steps take.
        if try original != nil || read(text).timeout != nil { return text }
        var edited = RecipeText(text)
        try edited.set([], "timeout", .scalar("\(max(1, Int((options.budget / 3) / .seconds(1))))s"), why: "")
        return edited.text
    }

    // MARK: A draft

    private mutating func begin() throws {
        diagnosis = try Diagnosis(home: home)
        let knowledge = DraftKnowledge(try packages(suite: "bookworm"))
        let repository = try Repository(root: folder)
        let found = try Probe(home: home, knowledge: knowledge).run(repository)
        self.repository = (repository, found)
        let name = URL(fileURLWithPath: folder).lastPathComponent
        var draft = RecipeDraft(found, name: name, knowledge: knowledge)
        if options.usesPackaging { try addPackaging(of: name, to: &draft) }
        self.draft = draft
        goals = Dictionary(draft.checks.map { ($0.value.name, $0.value) }) { first, _ in first }
        notes += draft.notes.map(\.description)
        let names = Set(found.projects.map(\.ecosystem.name)).sorted().joined(separator: ", ")
        tell("no recipe yet: \(names.isEmpty ? "nothing that is known" : names), \(draft.checks.count) goals")
    }

    private mutating func addPackaging(of name: String, to draft: inout RecipeDraft) throws {
        let suite = String(draft.base.value.dropFirst("debian-".count))
        let began = ContinuousClock.now
        let found = try SourcePackages(suite: suite, home: home).find(SourcePackages.candidates(name))
        spent += ContinuousClock.now - began
        guard let found else { return notes.append("\(suite) has no source package of this project") }
        for package in found.buildDepends { draft.add(package, Evidence(file: "debian/control"), why: "the distribution builds \(found.source) with it") }
    }

    mutating func packages(suite: String) throws -> IndexedPackages {
        if let knowledge, knowledge.suite == suite { return knowledge.packages }
        var index: KnowledgeIndex?
        let began = ContinuousClock.now
        do {
            index = try KnowledgeFolder(home: home).open(suite: suite, architecture: Recipe.hostArchitecture) { tell($0) }
        } catch let error as AutoinstallError { notes.append("without an index of packages: \(error)") }
        indexing += ContinuousClock.now - began
        let made = IndexedPackages(index, architecture: Recipe.hostArchitecture)
        knowledge = (suite, made)
        return made
    }

    mutating func remedies(for recipe: Recipe) throws -> RemedyPlanner {
        let suite = RemedyContext.suite(of: recipe)
        if let planner, planner.suite == suite { return planner.planner }
        let known = try packages(suite: suite)
        if repository == nil {
            let opened = try Repository(root: folder)
            repository = (opened, try Probe(home: home, knowledge: known).run(opened))
        }
        guard let (files, found) = repository else { throw AutoinstallError("internal", "there is no repository") }
        var context = RemedyContext(files, found, recipe: recipe, knowledge: known)
        context.unreachable = unreachable
        let made = RemedyPlanner(context)
        planner = (suite, made)
        return made
    }

    // MARK: An attempt

    mutating func attempt(_ recipe: Recipe, skipping: Set<String> = [], fromClean: Bool = false) throws -> Workbench.Attempt {
        let goals = goals
        let earlier = runs.values.filter { skipping.contains($0.goal.name) }
        let isDraft = original == nil
        var meter = Meter()
        defer { (spent, interrupted) = (spent + meter.spent, meter.interrupted) }
        let limit = fromClean || original != nil ? nil : options.budget / 3
        let attempt = try workbench.attempt(
            recipe, goals: goals, skipping: skipping, fromClean: fromClean, startsNear: original == nil && !exploresPlainly, deadline: deadline, limit: limit,
            meter: &meter
        ) { goal, now in
            isDraft && !fromClean && Self.isNeedless(goal, earlier + now)
        }
        if firstCached == nil, attempt.image != nil, !fromClean { firstCached = attempt.cachedKeys }
        if let image = attempt.image { lastAttempt = (image, recipe) }
        if diagnosis == nil, attempt.broken != nil || attempt.runs.contains(where: { !$0.outcome.isReached }) { diagnosis = try Diagnosis(home: home) }
        broken = attempt.broken.map { broken in
            let failure = Failure(command: broken.command, exitCode: broken.exit, output: broken.output, goalKind: .build)
            lastFailures[broken.id.isEmpty ? broken.target.name : broken.id] = failure
            return Failing(target: broken.target, failure: failure, lacks: lacks(failure))
        }
        brokenID = attempt.broken?.id ?? ""
        for run in attempt.runs {
            runs[run.goal.name] = run
            lastFailures[run.goal.name] = run.outcome.isReached ? nil : Failure(command: run.goal.command, exitCode: run.exit, output: run.output)
            looked[run.goal.name] = run.outcome.isReached ? nil : look(run)
        }
        if attempt.broken == nil {
            let worked = recipe.steps.map { "steps.\($0.name)" } + recipe.packages.requests.map { "packages.\($0.manager.name)" } + recipe.services.map(\.name)
            for name in worked { lastFailures[name] = nil }
            // What needed not run says nothing any more about what it lacked before.
            let now = Set(attempt.runs.map(\.goal.name)).union(skipping)
            for check in recipe.checks where !now.contains(check.name) { runs[check.name] = nil }
        }
        return attempt
    }

    /// After a proof that failed, what is explored is the recipe as it stands.
    var exploresPlainly = false

    /// The id of the step that broke the last build.
    var brokenID = ""

    /// Another way to run the tests of a folder whose tests have run.
    static func isNeedless(_ goal: Goal, _ runs: [GoalRunner.Run]) -> Bool {
        goal.kind == .test && runs.contains { $0.goal.kind == .test && $0.outcome.isReached && folder(of: $0.goal) == folder(of: goal) }
    }

    /// Where a goal's command goes first.
    static func folder(of goal: Goal) -> String {
        guard goal.command.hasPrefix("cd ") else { return "" }
        return String(goal.command.dropFirst(3).prefix { $0 != " " && $0 != "&" && $0 != ";" && $0 != "\n" })
    }

    // MARK: Changes

    /// Takes back what the last round tried in vain: the lack that it was for is still told.
    private mutating func withdrawUseless(_ failing: [Failing]) {
        let (last, tell, reached) = (rounds - 1, tell, reached)
        let bases = fixes.count(where: \.changesBase)
        defer { if fixes.count(where: \.changesBase) < bases { runs = [:] } }
        fixes.removeAll { fix in
            guard fix.round == last, let remedy = fix.remedy else { return false }
            let key = LackKey(remedy.lack)
            // What it did help is reason enough.
            if fix.targets.contains(where: { if case .check(let name) = $0 { reached.contains(name) } else { false } }) { return false }
            let isStill = failing.contains { item in
                guard fix.targets.contains(item.target) else { return false }
                // What no diagnoser knows is still there when the same line is.
                return item.lacks.contains { LackKey($0) == key } || remedy.source == .model && item.failure.lastLine == remedy.lack.evidence
            }
            if isStill { tell("  taken back, it did not help: \(fix.why)") }
            return isStill
        }
    }

    /// Chooses a remedy for each lack; those that are only possible when nothing likely is left.
    mutating func choose(_ failing: [Failing]) throws -> Bool {
        var (new, bases): ([Fix], [Fix]) = ([], [])
        var text = try text()
        for isDoubtful in [false, true] {
            for item in failing {
                let lacks = item.lacks.filter { $0.kind != .failingTest && $0.kind != .time && ($0.confidence == .possible) == isDoubtful }
                for lack in lacks.prefix(isDoubtful ? 3 : 12) {
                    if let index = new.firstIndex(where: { $0.remedy.map { LackKey($0.lack) } == LackKey(lack) }) {
                        if !new[index].targets.contains(item.target) { new[index].targets.append(item.target) }
                        continue
                    }
                    guard let (fix, changed) = try fix(lack, item.target, text) else { continue }
                    if fix.changesBase {
                        bases.append(fix)
                    } else {
                        new.append(fix)
                        text = changed
                    }
                }
            }
            if !new.isEmpty || !bases.isEmpty { break }
        }
        if new.isEmpty, !hasTests, let base = bases.first {
            // Another base is another world.
            new = [base]
            runs = [:]
        } else {
            // Their turn may come.
            for base in bases { if let remedy = base.remedy { tried.remove(Tried(key: LackKey(remedy.lack), patches: remedy.patches)) } }
        }
        for fix in new { tell("  trying: \(fix.why)") }
        fixes += new
        if !new.isEmpty { restoreSteps() }
        return !new.isEmpty
    }

    /// The next remedy that changes the recipe, and the recipe with it; none is left when this is nil, and that is a blocker.
    private mutating func fix(_ lack: Lack, _ target: Fix.Target, _ text: String) throws -> (fix: Fix, text: String)? {
        let key = LackKey(lack)
        let advice = try remedies(for: try read(text)).advice(for: lack)
        for remedy in try trial(advice.remedies, lack, target) where tried.insert(Tried(key: key, patches: remedy.patches)).inserted {
            if let made = try fix(remedy, target, text) { return made }
        }
        // A guess of ours that did not help blocks nobody.
        if lack.rule != Self.asRoot { block(lack, target, advice.blocker) }
        return nil
    }

    func fix(_ remedy: Remedy, _ target: Fix.Target, _ text: String) throws -> (fix: Fix, text: String)? {
        let isOfPackages = if case .step = target { brokenID.hasPrefix("packages.") } else { false }
        let fix = Fix(change: .remedy(remedy), targets: [target], round: rounds, isForPackages: isOfPackages, why: remedy.reason)
        do {
            let new = try fix.applied(to: text, read: read)
            // What a manager is to install from has to be there.
            if remedy.patches.contains(where: { if case .manifest = $0 { true } else { false } }) { _ = try workbench.plan(try read(new)) }
            return new == text ? nil : (fix, new)
        } catch is RecipeText.Refusal {
            return nil
        } catch is RecipeDiagnostics {
            // What a program printed need not be a name that a manager knows.
            return nil
        } catch let error as RecipeError {
            tell("  not tried, \(error.message): \(fix.why)")
            return nil
        }
    }

    /// Asks who else may know.
    private mutating func propose(_ failing: [Failing]) throws -> Bool {
        guard let proposer else { return false }
        var isNew = false
        for item in failing.prefix(3) where ContinuousClock.now < deadline {
            let text = try text()
            let proposals: [Remedy]
            do {
                let failure = item.failure
                proposals = try waiting { try await proposer.proposals(for: failure, recipe: text) }
            } catch {
                let note = "nobody else could be asked: \(error)"
                if !notes.contains(note) { notes.append(note) }
                continue
            }
            for remedy in proposals where tried.insert(Tried(key: LackKey(remedy.lack), patches: remedy.patches)).inserted {
                guard let (fix, _) = try fix(remedy, item.target, text) else { continue }
                tell("  trying what was proposed: \(fix.why)")
                fixes.append(fix)
                isNew = true
                break
            }
        }
        return isNew
    }

    /// The loop is a plain thread's; only what is asked over a network is not.
    private func waiting<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
        let done = DispatchSemaphore(value: 0)
        let box = ResultBox<T>()
        Task.detached {
            do { box.set(.success(try await body())) } catch { box.set(.failure(error)) }
            done.signal()
        }
        done.wait()
        return try box.take().get()
    }
}
