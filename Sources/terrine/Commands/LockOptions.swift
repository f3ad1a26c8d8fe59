import ArgumentParser
import Builder
import Foundation
import Recipes

/// What a build does with the recipe's lock.
struct LockOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Look up again what is locked: a manager, a package, a repository's path, `base`, or everything if you give no name.", valueName: "name"))
    var update: [String] = []

    @Option(help: ArgumentHelp("Resolve package layers anew that no lock is for and that are older than this, such as 7d.", valueName: "duration"))
    var refreshOlder: Age?

    @Flag(help: "Fail unless the lock holds everything that the recipe asks for; it is not written.")
    var locked = false

    @Flag(help: "Neither read nor write the recipe's lock.")
    var noLock = false

    static var `default`: LockOptions {
        var options = LockOptions()
        (options.update, options.refreshOlder, options.locked, options.noLock) = ([], nil, false, false)
        return options
    }

    func validate() throws {
        if locked, noLock || !update.isEmpty { throw ValidationError("--locked takes the lock as it is: leave out \(noLock ? "--no-lock" : "--update")") }
        if noLock, !update.isEmpty { throw ValidationError("--update renews the lock: leave out --no-lock, or use --refresh-older 1s") }
    }

    /// `--update` alone means everything; the argument parser wants a value.
    ///
    /// A path, or another option, after it is no name: `--update .` builds the recipe here.
    static func spelledOut(_ arguments: [String]) -> [String] {
        guard arguments.first == "build" else { return arguments }
        var out: [String] = []
        for (index, argument) in arguments.enumerated() {
            out.append(argument)
            guard argument == "--update" else { continue }
            let next = index + 1 < arguments.count ? arguments[index + 1] : "-"
            // Names may have a slash in them: `@team/box`, `example.com/tool`.
            let isPath = next.hasPrefix(".") || FileManager.default.fileExists(atPath: next)
            if next.hasPrefix("-") || isPath { out[out.count - 1] = "--update=all" }
        }
        return out
    }

    /// - Parameter others: recipes that are built beside it: a name to update may be one of theirs.
    func plan(_ recipe: Recipe, _ global: GlobalOptions, among others: [Recipe] = []) throws -> Plan {
        if noLock { return try Plan.make(recipe) }
        let entry = try LockFile(for: recipe, home: global.homeFolder).entry(recipe.name)
        let plan = try Plan.make(recipe, lock: LockUse(entry ?? .init(), updates: update, for: recipe, among: others))
        if locked {
            var open = plan.steps.filter { $0.packages?.resolve != nil && $0.packages?.locked == nil }.map(\.name)
            // A tag is not what it was tomorrow.
            if case .oci(let reference) = recipe.base, !reference.contains("@sha256:"), entry?.base == nil { open.insert(recipe.base.text, at: 0) }
            if let first = open.first {
                throw RecipeError(
                    "notLocked", "\(LockFile(for: recipe, home: global.homeFolder).path) does not hold what `\(first)` asks for",
                    fix: "`terrine build` without --locked writes it; commit it")
            }
        }
        return plan
    }

    func configure(_ options: inout PlanRunner.Options, _ recipe: Recipe, _ plan: Plan, _ global: GlobalOptions) throws {
        options.updatesBase = plan.lock?.renewsBase ?? false
        options.refreshesOlder = refreshOlder?.duration
        if noLock || locked { return }
        let file = LockFile(for: recipe, home: global.homeFolder)
        options.writeLock = { entry in
            do {
                return try file.update(recipe.name, entry)
            } catch let error where !FileManager.default.isWritableFile(atPath: recipe.folder) {
                // A recipe that cannot be written beside is built all the same.
                global.note("\(file.path) cannot be written: \(error)")
                return false
            }
        }
    }
}

/// How long ago, as a person writes it: `7d`, `12h`.
struct Age: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        guard let duration = Quantities.duration(argument) else { return nil }
        self.duration = duration
    }

    /// In one unit.
    static func text(since date: Date) -> String {
        let seconds = max(0, Int(-date.timeIntervalSinceNow))
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86400) days"
        }
    }
}
