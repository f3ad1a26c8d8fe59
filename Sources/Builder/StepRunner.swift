import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import Machines
import Recipes

/// Makes one layer: a machine from the image before it, the inputs put in place, the script run, and what changed kept.
struct StepRunner {
    let runner: PlanRunner
    let plan: Plan
    let index: Int
    let key: StepKey
    let secrets: BuildSecrets
    let isOffline: Bool

    private let start = ContinuousClock.now

    private var step: PlanStep { plan.steps[index] }

    init(runner: PlanRunner, plan: Plan, index: Int, key: StepKey, secrets: BuildSecrets = .none, isOffline: Bool = false) {
        (self.runner, self.plan, self.index, self.key, self.secrets, self.isOffline) = (runner, plan, index, key, secrets, isOffline)
    }

    func run(over parent: Image) throws -> (image: Image, bytes: Int64) {
        try withMachine(over: parent, script: step.script) { machine, exchange in
            runner.reporter.report(.packing(step: index))
            var draft = try self.draft(parent, name: step.name, key: key.key, labels: labels(exchange))
            // Machines are made from the last layer's image, which says so.
            if step.kind == .workspace, try FirstStart.isPending(on: machine.root) { draft.machine.hasFirstStart = true }
            return try machine.commit(draft)
        }
    }

    /// Finds exact versions and hashes for a package layer, in a machine that is thrown away.
    func resolve(over parent: Image) throws -> [String] {
        try withMachine(over: parent, script: step.packages?.resolve) { machine, exchange in
            try machine.remove()
            return try exchange?.lines("lock") ?? []
        }
    }

    private func labels(_ exchange: PackageExchange?) throws -> [String: String] {
        guard let exchange, let work = step.packages else { return [:] }
        var labels: [String: String] = [:]
        let name = work.request.manager.name
        if let locked = work.locked { labels[PlanRunner.lockLabel(name)] = locked.joined(separator: "\n") }
        let installed = try exchange.lines("installed")
        if !installed.isEmpty { labels[PlanRunner.installedLabel(name)] = installed.joined(separator: "\n") }
        return labels
    }

    /// Runs a script in a machine from `parent`, with the inputs in place, and then `end`, which ends the machine.
    private func withMachine<T>(
        over parent: Image, script: String?, _ end: (any StepMachine, PackageExchange?) throws -> T
    ) throws -> T {
        var request = StepMachineRequest(image: parent, network: isOffline ? .none : step.network)
        request.cpus = plan.recipe.resources.cpus
        request.memory = plan.recipe.resources.memory
        request.binds = try CacheFolders(home: runner.images.home).binds(step.caches, of: plan.recipe)
        let locks = try CacheLocks(step.caches, of: plan.recipe, home: runner.images.home, runner.cancellation) { name in
            runner.reporter.report(.note("step \(step.name): another step uses the cache \(name), waiting"))
        }
        defer { withExtendedLifetime(locks) {} }
        let given = secrets.values(step)
        let folder = step.secrets.isEmpty ? nil : try SecretFolder(given)
        defer { withExtendedLifetime(folder) {} }
        if let folder { request.binds[folder.path] = SecretFolder.inMachine }
        let exchange = try step.packages.map { try PackageExchange($0, home: runner.images.home) }
        let registry = step.packages.flatMap { HostRegistry(for: $0) }
        if let exchange, let work = step.packages { request.binds.merge(exchange.binds(work)) { $1 } }
        if let registry { request.binds.merge(registry.binds) { $1 } }
        let machine = try runner.host.start(request)
        do {
            return try runner.cancellation.guarding({
                // A machine that cannot be removed now goes with this process.
                try? machine.remove()
            }) {
                try putInPlace(machine)
                if let script = script.map({ SecretFolder.script($0, step.secrets, given: Set(given.keys)) }) {
                    try execute(["/bin/sh", "-e", "-c", script], machine, parent, exchange)
                }
                return try end(machine, exchange)
            }
        } catch {
            do { try machine.remove() } catch let second {
                runner.reporter.report(.note("the machine of step \(step.name) could not be removed: \(second)"))
            }
            throw error
        }
    }

    /// The label of an image that says which commit of a repository is at `path`.
    private static func repositoryLabel(_ path: String) -> String { "terrine.repository.\(path)" }

    private func draft(_ parent: Image, name: String, key: String?, labels: [String: String] = [:]) -> ImageDraft {
        var defaults = MachineDefaults()
        var labels = labels
        for clone in step.clones where step.kind != .workspace { labels[Self.repositoryLabel(clone.path)] = "\(clone.url) \(clone.commit)" }
        if step.kind == .workspace {
            defaults = MachineDefaults(plan.recipe)
            // The image that is named says what it was made from.
            for clone in plan.steps.flatMap({ $0.kind == .workspace ? [] : $0.clones }) {
                labels[Self.repositoryLabel(clone.path)] = "\(clone.url) \(clone.commit)"
            }
            if let own = step.clones.first { labels["org.opencontainers.image.revision"] = own.commit }
        }
        var draft = ImageDraft(
            parent: parent, virtualBytes: parent.virtualBytes, environment: self.key.environment, machine: defaults, step: name, cacheKey: key,
            labels: labels)
        let commit = plan.steps.first { $0.kind == .workspace }?.clones.first?.commit
        draft.made = MakerNote(duration: ContinuousClock.now - start, commit: commit)
        return draft
    }

    // MARK: Before the script

    private func putInPlace(_ machine: any StepMachine) throws {
        let root = try machine.root
        // Before the step that makes a user, its files are root's.
        let owner = try MachineUsers.find(step.user, in: root) ?? .root
        let placement = InputPlacement(root: root, owner: owner)
        if step.kind == .run || step.kind == .workspace {
            try placement.makeFolders(step.workingFolder)
            if owner.user != 0, try root.attributes(step.workingFolder)?.st_uid == 0 {
                try root.setOwner(step.workingFolder, user: owner.user, group: owner.group)
            }
            try giveClones(to: owner, in: root)
        }
        try placement.place(step.inputs)
        if step.clones.isEmpty { return }
        let scratch = try ScratchFolder(home: runner.images.home, purpose: "clone")
        try withExtendedLifetime(scratch) {
            for (number, clone) in step.clones.enumerated() where step.kind == .workspace || !placed.contains(clone.path) {
                let folder = "\(scratch.path)/\(number)"
                let source = try prepare(clone, in: folder)
                let copy = TreeCopy(root: root, owner: owner)
                try copy.copy(try RootedFolder(source), to: step.kind == .workspace ? clone.path + "/.git" : clone.path)
            }
        }
    }

    /// Repositories that were put in place before the step that makes their user has run; the first step of that user gets them.
    private func giveClones(to owner: MachineUsers, in root: RootedFolder) throws {
        if owner.user == 0 { return }
        func give(_ path: String) throws {
            guard let status = try root.attributes(path), status.st_uid == 0 else { return }
            try root.setOwner(path, user: owner.user, group: owner.group)
            if status.st_mode & S_IFMT == S_IFDIR { for name in try root.list(path) { try give(path + "/" + name) } }
        }
        for path in placed { try give(path) }
    }

    /// Where steps before this one have put repositories.
    private var placed: Set<String> { Set(plan.steps[..<index].filter { $0.kind != .workspace }.flatMap { $0.clones.map(\.path) }) }

    /// Makes the clone on this host and returns the folder whose contents go into the machine.
    private func prepare(_ clone: PlanStep.Clone, in folder: String) throws -> String {
        let checkout = RepositoryCheckout(cache: GitCache(home: runner.images.home, isOffline: isOffline), scratch: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let target = folder + "/new"
        if step.kind == .workspace, let path = clone.localPath, let git = try GitRepository(at: path) {
            let refs = try git.refs().filter { !$0.key.hasPrefix("refs/remotes/") }
            let head = try git.headRef().map(CleanClone.Head.branch) ?? .commit(clone.commit)
            try CleanClone.make(from: git.folder, refs: refs, head: head, shallow: checkout.shallow(git.folder), at: target, checkOut: false)
            return target + "/.git"
        }
        try checkout.make(clone, at: target)
        return target
    }

    // MARK: The script

    private func execute(_ arguments: [String], _ machine: any StepMachine, _ parent: Image, _ exchange: PackageExchange?) throws {
        let reporter = runner.reporter
        let number = index
        let reader = try OutputReader(secrets: Array(secrets.values(step).values)) { reporter.report(.output(step: number, line: $0)) }
        // Bytecode holds the times of its sources, so that no two builds would give the same layer.
        var environment = key.environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { own, _ in own }
        if let work = step.packages {
            // Where a package comes from is the host's affair, and in no key: what it is, its hash says.
            if isOffline { environment["TERRINE_OFFLINE"] = "1" }
            environment.merge(HostRegistry(for: work)?.environment ?? [:]) { $1 }
        }
        let exit: StepExit
        do {
            defer { reader.finish() }
            exit = try machine.run(
                StepCommand(
                    arguments: arguments, environment: environment, user: step.user, workingFolder: step.workingFolder, timeout: step.timeout,
                    output: reader.input))
        }
        if exit == .ended(.exited(0)) { return }
        try runner.cancellation.check()
        if let gone = try goneError(exchange) { throw gone }
        throw try failure(exit, reader.lastLines, machine, parent)
    }

    /// What the lock names and cannot be had any more, if that is why the script failed.
    private func goneError(_ exchange: PackageExchange?) throws -> BuildError? {
        guard let exchange, let manager = step.packages?.request.manager.name else { return nil }
        let gone = try exchange.lines("gone").map { line in
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            return words.prefix(2).joined(separator: " ") + (words.count > 2 && !words[2].isEmpty ? " (\(words[2]))" : "")
        }
        guard let first = gone.first else { return nil }
        let name = first.prefix { $0 != " " && $0 != ":" }
        return BuildError(
            "gone", "\(manager) cannot get \(gone.count == 1 ? "a package" : "\(gone.count) packages") of \(TerrineLock.fileName) any more",
            cause: gone.joined(separator: "\n"),
            fix: "take what there is now with `terrine build --update \(gone.count == 1 ? String(name) : manager)`, or name a registry that still has it")
    }

    /// Keeps the disk as it is, and says what happened.
    private func failure(_ exit: StepExit, _ lines: [String], _ machine: any StepMachine, _ parent: Image) throws -> BuildError {
        let code: Int32?
        let how: String
        switch exit {
        case .timedOut: (code, how) = (nil, "ran longer than its timeout")
        case .ended(let status): (code, how) = (status.code, status.code > 128 ? "was killed by signal \(status.code - 128)" : "ended with \(status.code)")
        }
        var fix = "look inside with `terrine shell --failed \(plan.recipe.folder)`"
        do {
            let image = try machine.commit(draft(parent, name: "failed: \(step.name)", key: nil)).image
            let record = FailedStep(
                folder: plan.recipe.folder, recipe: plan.recipe.name, step: step.name, image: image.digest.description, script: step.script ?? "",
                environment: key.environment,
                user: step.user, workingFolder: step.workingFolder, exitCode: code, output: lines, time: Date().timeIntervalSince1970)
            try FailedSteps(images: runner.images).keep(record, image: image)
        } catch {
            fix = "its disk could not be kept (\(error))"
        }
        let said = lines.suffix(20).joined(separator: "\n")
        return BuildError("stepFailed", "the step `\(step.name)` \(how)", cause: said.isEmpty ? nil : said, fix: fix)
    }
}
