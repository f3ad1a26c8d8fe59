import Foundation
import Images
import Recipes

/// Package layers: what is asked for is resolved to exact versions and hashes first, and then exactly that is installed.
extension PlanRunner {
    /// The label of a package layer's image that holds what was locked, a package a line.
    static func lockLabel(_ manager: String) -> String { "terrine.lock.\(manager)" }
    /// The label that holds what the manager lists as installed.
    static func installedLabel(_ manager: String) -> String { "terrine.installed.\(manager)" }

    /// Makes a package layer that no lock is for yet.
    ///
    /// The layer is in the cache twice: by what was asked for, and by what that came to. So a build without a lock finds it, one with the lock that
    /// this build writes does, and a new resolution that comes to the same changes nothing.
    func resolvedLayer(
        _ index: Int, of plan: Plan, over parent: Image, base: Image, _ options: Options, _ remote: RemoteSteps, _ built: inout [BuildResult.Step]
    ) throws -> Image {
        let step = plan.steps[index]
        let key = StepKey(step, of: plan, parentLayers: parent.layers.map(\.description), baseEnvironment: base.environment)
        let isRenewed = try step.packages?.isRenewed == true || isOld(key.key, options)
        let layers = parent.layers.map(\.description)
        func lockedKey(_ image: Image) -> StepKey? {
            locked(step, as: image).map { StepKey($0, of: plan, parentLayers: layers, baseEnvironment: base.environment) }
        }
        func keep(_ image: Image) throws {
            // The record that stays the last is the locked one's: it names the packages.
            try images.cache(key.key, image: image, recipe: plan.recordName, step: step.id, record: key.record)
            if let locked = lockedKey(image) { try images.cache(locked.key, image: image, recipe: plan.recordName, step: step.id, record: locked.record) }
            try images.noteResolved(key.key, image)
        }
        // What is elsewhere under this key was made under that of what it came to.
        let isRight = { (image: Image) in image.cacheKey != nil && image.cacheKey == lockedKey(image)?.key }
        return try cached(
            index, of: plan, key, ignoresCache: options.ignoresCache || isRenewed, remote, &built, isRight: isRight, arrived: keep
        ) { built in
            let start = ContinuousClock.now
            reporter.report(.started(step: index, reason: "finding versions"))
            let lines: [String]
            do {
                lines = try StepRunner(runner: self, plan: plan, index: index, key: key, isOffline: options.isOffline).resolve(over: parent)
            } catch {
                reporter.report(.failed(step: index, milliseconds: (ContinuousClock.now - start).milliseconds))
                throw error
            }
            let locked = step.locked(to: lines)
            let image = try layer(index, of: plan.replacing(index, with: locked), over: parent, base: base, options, remote, &built)
            try remote.whenHere(image, keep)
            return image
        }
    }

    /// The step as it is when it asks for exactly what its image has; nil when the image does not say.
    func locked(_ step: PlanStep, as image: Image) -> PlanStep? {
        guard let manager = step.packages?.request.manager.name, let label = image.labels[Self.lockLabel(manager)] else { return nil }
        return step.locked(to: label.split(separator: "\n").map(String.init))
    }

    private func isOld(_ key: String, _ options: Options) throws -> Bool {
        guard let limit = options.refreshesOlder, let then = try images.resolved(key) else { return false }
        return -then.timeIntervalSinceNow > limit / .seconds(1)
    }

    /// Adds what a step was made from to the lock.
    func note(_ step: PlanStep, _ image: Image, in lock: inout TerrineLock.Entry) {
        if let work = step.packages {
            let manager = work.request.manager.name
            let label = image.labels[Self.lockLabel(manager)].map { $0.split(separator: "\n").map(String.init) }
            lock.packages[manager] = .init(asked: work.asked, packages: work.locked ?? label ?? [])
        }
        if step.kind != .workspace {
            for clone in step.clones { lock.repositories[clone.path] = .init(url: clone.url, ref: clone.ref, commit: clone.commit) }
        }
    }
}

extension ImageStore {
    private func resolvedName(_ key: String) -> String { "resolved \(key)" }

    /// When a package layer was last resolved to exact versions; nil when that is not known.
    func resolved(_ key: String) throws -> Date? {
        try lastRecord(recipe: resolvedName(key), step: "time")?["seconds"].flatMap(Double.init).map { Date(timeIntervalSince1970: $0) }
    }

    func noteResolved(_ key: String, _ image: Image) throws {
        let record = ["seconds": String(Int(Date().timeIntervalSince1970)), "image": image.digest.description]
        try note(recipe: resolvedName(key), step: "time", record: record)
    }
}
