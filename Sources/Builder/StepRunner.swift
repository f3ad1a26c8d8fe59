import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import Recipes

/// Makes one layer: a machine from the image before it, the inputs put in place, the script run, and what changed kept.
struct StepRunner {
    let runner: PlanRunner
    let plan: Plan
    let index: Int
    let key: StepKey

    private let start = ContinuousClock.now

    private var step: PlanStep { plan.steps[index] }

    init(runner: PlanRunner, plan: Plan, index: Int, key: StepKey) { (self.runner, self.plan, self.index, self.key) = (runner, plan, index, key) }

    func run(over parent: Image) throws -> (image: Image, bytes: Int64) {
        var request = StepMachineRequest(image: parent, network: step.network)
        request.cpus = plan.recipe.resources.cpus
        request.memory = plan.recipe.resources.memory
        request.binds = try CacheFolders(home: runner.images.home).binds(step.caches, of: plan.recipe)
        let machine = try runner.host.start(request)
        do {
            return try runner.cancellation.guarding({
                // A machine that cannot be removed now goes with this process.
                try? machine.remove()
            }) {
                try putInPlace(machine)
                if let command = step.command { try execute(command, machine, parent) }
                runner.reporter.report(.packing(step: index))
                return try machine.commit(draft(parent, name: step.name, key: key.key))
            }
        } catch {
            do { try machine.remove() } catch let second {
                runner.reporter.report(.note("the machine of step \(step.name) could not be removed: \(second)"))
            }
            throw error
        }
    }

    private func draft(_ parent: Image, name: String, key: String?) -> ImageDraft {
        var defaults = MachineDefaults()
        if step.kind == .workspace { defaults = MachineDefaults(plan.recipe) }
        var draft = ImageDraft(
            parent: parent, virtualBytes: parent.virtualBytes, environment: self.key.environment, machine: defaults, step: name, cacheKey: key)
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
            for (number, clone) in step.clones.enumerated() {
                let folder = "\(scratch.path)/\(number)"
                let source = try prepare(clone, in: folder)
                let copy = TreeCopy(root: root, owner: owner)
                try copy.copy(try RootedFolder(source), to: step.kind == .workspace ? clone.path + "/.git" : clone.path)
            }
        }
    }

    /// Repositories are cloned before the step that makes their user has run; the first step of that user gets them.
    private func giveClones(to owner: MachineUsers, in root: RootedFolder) throws {
        if owner.user == 0 { return }
        func give(_ path: String) throws {
            guard let status = try root.attributes(path), status.st_uid == 0 else { return }
            try root.setOwner(path, user: owner.user, group: owner.group)
            if status.st_mode & S_IFMT == S_IFDIR { for name in try root.list(path) { try give(path + "/" + name) } }
        }
        for clone in plan.steps.first(where: { $0.kind == .repositories })?.clones ?? [] { try give(clone.path) }
    }

    /// Makes the clone on this host and returns the folder whose contents go into the machine.
    private func prepare(_ clone: PlanStep.Clone, in folder: String) throws -> String {
        let isWorkspace = step.kind == .workspace
        let target = folder + "/new"
        if isWorkspace, let path = clone.localPath, let git = try GitRepository(at: path) {
            let refs = try git.refs().filter { !$0.key.hasPrefix("refs/remotes/") }
            let head = try git.headRef().map(CleanClone.Head.branch) ?? .commit(clone.commit)
            try CleanClone.make(from: git.folder, refs: refs, head: head, shallow: shallow(git.folder), at: target, checkOut: false)
            return target + "/.git"
        }
        var source = folder + "/source"
        if let path = clone.localPath, let git = try GitRepository(at: path) {
            source = git.folder
        } else {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try CleanClone.fetch(clone.url, ref: clone.ref, commit: clone.commit, to: source)
        }
        // What the clone holds follows from what its key is taken over: the ref and its commit, and no other branch.
        let isBranch = clone.ref != "HEAD" && clone.ref != clone.commit
        let head: CleanClone.Head = isBranch ? .branch("refs/heads/" + Self.branch(clone.ref)) : .commit(clone.commit)
        let refs = isBranch ? ["refs/heads/" + Self.branch(clone.ref): clone.commit] : [:]
        try CleanClone.make(from: source, refs: refs, head: head, shallow: shallow(source), at: target, checkOut: true)
        return target
    }

    private static func branch(_ ref: String) -> String {
        for prefix in ["refs/heads/", "refs/tags/"] where ref.hasPrefix(prefix) { return String(ref.dropFirst(prefix.count)) }
        return ref
    }

    private func shallow(_ folder: String) -> [String] {
        FileManager.default.contents(atPath: folder + "/shallow").map { String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init) } ?? []
    }

    // MARK: The script

    private func execute(_ arguments: [String], _ machine: any StepMachine, _ parent: Image) throws {
        let reporter = runner.reporter
        let number = index
        let reader = try OutputReader { reporter.report(.output(step: number, line: $0)) }
        // Bytecode holds the times of its sources, so that no two builds would give the same layer.
        let environment = key.environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { own, _ in own }
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
        throw try failure(exit, reader.lastLines, machine, parent)
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
