import Foundation

extension Plan {
    /// Finds the commit that a repository of a recipe is at.
    public typealias CommitFinder = (Recipe.Repository, Recipe) throws -> String

    /// Compiles a recipe: walks the workspace and hashes what the steps declare.
    ///
    /// - Throws: ``RecipeDiagnostics`` for inputs that match nothing, ``RecipeError`` for files that cannot be read.
    public static func make(
        _ recipe: Recipe, workspace: Workspace, lock: LockUse? = nil, commit: @escaping CommitFinder = GitRepository.commit(of:recipe:)
    ) throws -> Plan {
        var maker = PlanMaker(recipe: recipe, workspace: workspace, lock: lock)
        return try maker.plan(lock?.commit(commit) ?? commit)
    }

    /// The plan of a recipe with the workspace that it names.
    public static func make(_ recipe: Recipe, lock: LockUse? = nil) throws -> Plan {
        try make(recipe, workspace: Workspace(root: recipe.workspaceFolder), lock: lock)
    }
}

/// Compiles one recipe, step by step.
struct PlanMaker {
    let recipe: Recipe
    let workspace: Workspace
    private let lock: LockUse?
    /// The lock's file in the workspace: made by builds, so in no step's inputs unless one names it.
    private let lockPath: String?
    private var problems: [Diagnostic] = []

    init(recipe: Recipe, workspace: Workspace, lock: LockUse? = nil) {
        self.recipe = recipe
        self.workspace = workspace
        self.lock = lock
        lockPath = Plan.lockPath(of: recipe, in: workspace)
    }

    mutating func plan(_ commit: Plan.CommitFinder) throws -> Plan {
        // Every problem with inputs is told before anything is hashed.
        let selected = try recipe.steps.enumerated().map { try select($0.element, $0.offset) }
        if !problems.isEmpty { throw RecipeDiagnostics(problems) }
        var steps = [try base()]
        steps += try recipe.packages.requests.map { request in
            let step = try packages(request)
            return lock?.applied(to: step) ?? step
        }
        if let step = try files() { steps.append(step) }
        let clones = try recipe.repositories.map { try clone($0, commit) }
        // One pass over the union, so that no file is hashed twice.
        let everything = try InputHashing.hash(workspace.files().map(request))
        let byPath = Dictionary(uniqueKeysWithValues: everything.map { ($0.path, $0) })
        for (step, files) in zip(recipe.steps, selected) {
            steps.append(run(step, files.compactMap { byPath[$0.path] }, clones))
        }
        if let step = repositories(clones, after: steps) { steps.append(step) }
        steps.append(try workspaceStep(everything))
        return Plan(recipe: recipe, workspace: workspace, steps: steps, lock: lock)
    }

    // MARK: Steps

    private func base() throws -> PlanStep {
        var step = PlanStep("base", "base \(recipe.base.text)", .base)
        step.parts["base"] = recipe.base.text
        switch recipe.base {
        case .tar(let path): step.inputs = try InputHashing.hash([beside(path, "", nil)])
        case .ociLayout(let path, _):
            // The index of a layout names the rest by digests.
            let index = path + "/index.json"
            let isFolder = FileManager.default.fileExists(atPath: HostPath.join(recipe.folder, index))
            step.inputs = try InputHashing.hash([beside(isFolder ? index : path, "", nil)])
        case .named, .image, .oci: break
        }
        return step
    }

    private func files() throws -> PlanStep? {
        if recipe.files.isEmpty { return nil }
        var step = PlanStep("files", "files: " + summary(recipe.files.map(\.to)), .files)
        var requests: [InputHashing.Request] = []
        for file in recipe.files {
            let source = HostPath.join(recipe.folder, file.from)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) else {
                throw RecipeError(
                    "notFound", "cannot find \(file.from), which `files` names", fix: "write it, or correct the name")
            }
            if isFolder.boolValue {
                // Named outright, so ignore files have no say.
                for found in try WorkspaceWalk(root: source, honoursIgnoreFiles: false).files() {
                    requests.append(
                        .init(
                            path: HostPath.join("/" + file.from, found.path).dropFirst().description,
                            kind: found.kind, mode: found.kind == .link ? found.mode : file.mode ?? found.mode,
                            source: source + "/" + found.path, target: file.to + "/" + found.path))
                }
            } else {
                requests.append(beside(file.from, file.to, file.mode))
            }
        }
        step.inputs = try InputHashing.hash(requests)
        step.parts["files"] = CanonicalJSON.array(recipe.files.map { "\($0.from) -> \($0.to)" })
        return step
    }

    private func clone(_ repository: Recipe.Repository, _ commit: Plan.CommitFinder) throws -> PlanStep.Clone {
        PlanStep.Clone(
            url: repository.url, localPath: repository.isLocal ? HostPath.join(recipe.folder, repository.url) : nil, path: repository.path,
            ref: repository.ref, commit: try commit(repository, recipe), depth: repository.depth, isPartial: repository.isPartial,
            hasSubmodules: repository.hasSubmodules, hasLargeFiles: repository.hasLargeFiles)
    }

    /// A thin layer over the steps, with the repositories that none of them has asked for: a new commit of those makes this layer anew and nothing else.
    private func repositories(_ clones: [PlanStep.Clone], after steps: [PlanStep]) -> PlanStep? {
        let placed = Set(steps.flatMap { $0.clones.map(\.path) })
        let rest = clones.filter { !placed.contains($0.path) }
        if rest.isEmpty { return nil }
        var step = PlanStep("repositories", "repositories: " + summary(rest.map { "\($0.path)@\($0.commit.prefix(12))" }), .repositories)
        step.clones = rest
        for clone in rest { step.parts["repository \(clone.path)"] = clone.record }
        step.user = recipe.user
        step.network = recipe.network.build
        step.timeout = recipe.timeout
        return step
    }

    private func run(_ spec: Recipe.Step, _ inputs: [InputFile], _ clones: [PlanStep.Clone]) -> PlanStep {
        var step = PlanStep("steps.\(spec.name)", spec.name, .run)
        step.script = spec.run
        step.inputs = inputs
        // A step that declares nothing depends on everything.
        step.clones = clones.filter { clone in spec.repositories.map { $0.contains(clone.path) } ?? (spec.inputs == nil) }
        for clone in step.clones { step.parts["repository \(clone.path)"] = clone.record }
        step.caches = spec.caches
        step.secrets = spec.secrets
        if !spec.secrets.isEmpty { step.parts["secrets"] = CanonicalJSON.array(spec.secrets.map { "\($0.name) \($0.variable ?? "")" }.sorted()) }
        step.environment = recipe.environment.merging(Self.cacheEnvironment(spec.caches)) { $1 }.merging(spec.env) {
            $1
        }
        step.user = spec.user ?? recipe.user
        step.timeout = spec.timeout ?? recipe.timeout
        step.network = spec.network ?? recipe.network.build
        step.workingFolder = recipe.workspace.path
        step.parts["run"] = spec.run
        step.parts["network"] = step.network.rawValue
        step.parts["folder"] = recipe.workspace.path
        step.parts["caches"] = CanonicalJSON.array(spec.caches.map(\.name).sorted())
        return step
    }

    private func workspaceStep(_ files: [InputFile]) throws -> PlanStep {
        var step = PlanStep("workspace", "workspace", .workspace)
        step.inputs = files
        step.workingFolder = recipe.workspace.path
        step.parts["folder"] = recipe.workspace.path
        // The image runs as this user, in this environment.
        step.user = recipe.user
        step.environment = recipe.environment
        if let git = try GitRepository(at: workspace.root), let head = try git.head() {
            let ref = try git.headRef() ?? "HEAD"
            let refs = try git.refs().filter { !$0.key.hasPrefix("refs/remotes/") }
            step.parts["git head"] = head
            step.parts["git ref"] = ref
            step.parts["git refs"] = InputHashing.hex(of: CanonicalJSON.object(refs))
            step.clones = [
                .init(
                    url: workspace.root, localPath: workspace.root, path: recipe.workspace.path, ref: ref, commit: head)
            ]
        }
        return step
    }

    // MARK: Inputs

    private mutating func select(_ step: Recipe.Step, _ index: Int) throws -> [WorkspaceFile] {
        guard let globs = step.inputs else { return try workspace.files().filter { $0.path != lockPath } }
        let (files, unmatched) = try workspace.select(globs)
        for number in unmatched {
            let glob = globs[number]
            let isThere =
                GlobPattern(glob).isLiteral
                && FileManager.default.fileExists(atPath: workspace.root + "/" + glob)
            let names = try Set(workspace.files().flatMap { Self.prefixes($0.path) })
            problems.append(
                recipe.diagnostic(
                    "steps.\(index).inputs.\(number)",
                    isThere
                        ? "the input `\(glob)` holds no file that .gitignore and .terrineignore let in"
                        : "the input `\(glob)` matches no file of the workspace",
                    expected:
                        "a file, folder or glob of \(recipe.workspace.from == "." ? "the workspace" : recipe.workspace.from)",
                    nearest: Spelling.nearest(to: glob, among: names.sorted())))
        }
        return files.filter { $0.path != lockPath || globs.contains($0.path) }
    }

    private static func prefixes(_ path: String) -> [String] {
        var out: [String] = []
        for part in path.split(separator: "/") { out.append(out.last.map { $0 + "/" + part } ?? String(part)) }
        return out
    }

    private func request(_ file: WorkspaceFile) -> InputHashing.Request {
        .init(
            path: file.path, kind: file.kind, mode: file.mode, source: workspace.root + "/" + file.path,
            target: recipe.workspace.path + "/" + file.path)
    }

    func beside(_ path: String, _ target: String, _ mode: UInt32?) -> InputHashing.Request {
        let source = HostPath.real(HostPath.join(recipe.folder, path))
        let isExecutable = FileManager.default.isExecutableFile(atPath: source)
        return .init(
            path: String(HostPath.join("/", path).dropFirst()), kind: .file,
            mode: mode ?? (isExecutable ? 0o755 : 0o644),
            source: source, target: target)
    }

    func summary(_ names: [String]) -> String {
        let shown = names.prefix(3).joined(separator: ", ")
        return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
    }

    /// Where the tools that a cache is named for look for it.
    static func cacheEnvironment(_ caches: [Recipe.Cache]) -> [String: String] {
        var values: [String: String] = [:]
        for cache in caches {
            let variables: [String]
            switch cache.name {
            case "ccache": variables = ["CCACHE_DIR"]
            case "pip": variables = ["PIP_CACHE_DIR"]
            case "uv": variables = ["UV_CACHE_DIR"]
            case "npm": variables = ["npm_config_cache"]
            case "yarn": variables = ["YARN_CACHE_FOLDER"]
            case "cargo": variables = ["CARGO_HOME"]
            case "go": variables = ["GOCACHE"]
            case "gomod": variables = ["GOMODCACHE"]
            default: variables = []
            }
            let own = cache.name.uppercased().map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
            for variable in variables + ["TERRINE_CACHE_\(own)"] { values[variable] = cache.path }
        }
        return values
    }
}
