import Foundation

/// What a plan takes from a lock, and what it is told to look up anew.
public struct LockUse: Sendable {
    /// What is locked for this recipe's image on this architecture.
    public let entry: TerrineLock.Entry
    /// Names to look up again: of managers, packages, repositories, the base; `all`.
    private let updates: Set<String>

    /// - Throws: ``RecipeError`` for a name that is nothing of this recipe's or this lock's.
    public init(_ entry: TerrineLock.Entry = .init(), updates: [String] = [], for recipe: Recipe, among others: [Recipe] = []) throws {
        (self.entry, self.updates) = (entry, Set(updates))
        // What a lock knows of the others is not looked up: their own plans tell what nobody has.
        let known = others.reduce(Self.names(entry, recipe)) { $0.union(Self.names(.init(), $1)) }
        for name in updates where !known.contains(name) {
            throw RecipeError(
                "unknownName", "there is no `\(name)` to update in this recipe and its lock",
                fix: Spelling.nearest(to: name, among: known.sorted()).map { "did you mean `\($0)`?" }
                    ?? "name a manager, a package, a repository's path, `base`, or `all`")
        }
    }

    private static func names(_ entry: TerrineLock.Entry, _ recipe: Recipe) -> Set<String> {
        var names: Set = ["all", "base", recipe.base.text]
        for (manager, resolution) in entry.packages { names.formUnion([manager] + resolution.packages.map(packageName)) }
        for request in recipe.packages.requests {
            names.formUnion([request.manager.name] + request.packages.map(requestedName))
        }
        for repository in recipe.repositories { names.formUnion(Self.names(of: repository)) }
        return names
    }

    private static func names(of repository: Recipe.Repository) -> [String] {
        [repository.path, repository.url, HostPath.name(repository.path), "repositories"]
    }

    /// `requests` of `requests>=2`, `@team/box` of `@team/box@1.0.0`.
    static func requestedName(_ item: String) -> String {
        if let at = item.dropFirst().firstIndex(of: "@") { return item[..<at].trimmingCharacters(in: .whitespaces) }
        return item.hasPrefix("@") ? item : String(item.prefix { $0.isLetter || $0.isNumber || "-_.+".contains($0) })
    }

    /// `git` of `git:amd64 1:2.39 sha256:…`.
    static func packageName(_ line: String) -> String { String(line.prefix { $0 != " " && $0 != ":" }) }

    /// Whether a name to update means this package: itself, or a command in it, as of Go's modules.
    private static func names(_ update: String, _ package: String) -> Bool { update == package || update.hasPrefix(package + "/") }

    public var renewsBase: Bool { !updates.isDisjoint(with: ["all", "base"]) }

    func renewsBase(_ name: String) -> Bool { renewsBase || updates.contains(name) }

    func renews(_ repository: Recipe.Repository) -> Bool { updates.contains("all") || !updates.isDisjoint(with: Self.names(of: repository)) }

    /// The step with what the lock says of it.
    func applied(to step: PlanStep) -> PlanStep {
        guard let work = step.packages, work.resolve != nil else { return step }
        let manager = work.request.manager.name
        let known = entry.packages[manager]
        let lines = known?.packages ?? []
        let isAll = updates.contains("all") || updates.contains(manager)
        let asked = Set(work.request.packages.map(Self.requestedName))
        let named = updates.intersection(asked.union(lines.map(Self.packageName)))
        if let known, known.asked == work.asked, !isAll, named.isEmpty { return step.locked(to: known.packages) }
        var step = step
        step.packages?.isRenewed = isAll || !named.isEmpty
        // What is not to change keeps its version, if it can.
        let previous = isAll ? [] : lines.filter { line in !named.contains { Self.names($0, Self.packageName(line)) } }
        step.packages?.previous = previous
        if !previous.isEmpty { step.parts["previous"] = InputHashing.hex(of: previous.joined(separator: "\n")) }
        return step
    }

    /// Takes commits from the lock where it has them, asks `finder` for the others.
    func commit(_ finder: @escaping Plan.CommitFinder) -> Plan.CommitFinder {
        { repository, recipe in
            if let known = entry.repositories[repository.path], known.url == repository.url, known.ref == repository.ref, !renews(repository) {
                return known.commit
            }
            return try finder(repository, recipe)
        }
    }
}

extension Plan {
    /// Where the recipe's lock is in its workspace; nil when it is outside.
    static func lockPath(of recipe: Recipe, in workspace: Workspace) -> String? {
        let path = TerrineLock.path(for: recipe)
        return HostPath.isInside(path, workspace.root) && path != workspace.root
            ? String(path.dropFirst(workspace.root == "/" ? 1 : workspace.root.count + 1)) : nil
    }

    /// The same plan, with the lock's file as it is now in the last layer: the build has just written it.
    public func withNewLockFile() throws -> Plan {
        guard let path = Plan.lockPath(of: recipe, in: workspace), let last = steps.indices.last, steps[last].kind == .workspace else { return self }
        // Walked again, since ignore files have a say about a file that was not there before.
        let now = try Workspace(root: workspace.root).files().filter { $0.path == path }
        var step = steps[last]
        step.inputs.removeAll { $0.path == path }
        step.inputs += try InputHashing.hash(
            now.map {
                .init(path: path, kind: $0.kind, mode: $0.mode, source: workspace.root + "/" + path, target: recipe.workspace.path + "/" + path)
            })
        step.inputs.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        return replacing(last, with: step)
    }
}
