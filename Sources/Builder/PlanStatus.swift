import Foundation
import Images
import Recipes

/// A plan beside what the store holds: which steps a build would take from the cache, and why the others would run. Nothing is built or asked.
public struct PlanStatus: Sendable {
    public struct Step: Sendable {
        public let id: String
        public let name: String
        /// Nil while a step before it is not built: what it will run on is not known.
        public let key: String?
        public let isCached: Bool
        /// Why it will run; nil when it is cached.
        public let reason: String?
        /// When a package layer that no lock is for was resolved to exact versions.
        public let resolved: Date?

        init(id: String, name: String, key: String?, isCached: Bool, reason: String?, resolved: Date? = nil) {
            (self.id, self.name, self.key, self.isCached, self.reason, self.resolved) = (id, name, key, isCached, reason, resolved)
        }
    }

    public let steps: [Step]
    /// When the base's packages were looked up, or it was fetched; nil when it is not built, or not made from packages.
    public let baseBuilt: Date?

    /// - Parameter refreshesOlder: as of `build --refresh-older`.
    public init(_ plan: Plan, images: ImageStore, refreshesOlder: Duration? = nil) throws {
        var steps: [Step] = []
        var parent: Image?
        var environment: [String: String] = [:]
        var baseBuilt: Date?
        for (index, step) in plan.steps.enumerated() {
            if index == 0 {
                switch try BaseBuilder(images: images).state(of: plan) {
                case .ready(let image, let built):
                    (parent, environment, baseBuilt) = (image, image.environment, built)
                    steps.append(Step(id: step.id, name: step.name, key: image.cacheKey ?? image.digest.hex, isCached: true, reason: nil))
                case .missing(let reason):
                    environment = ["PATH": Recipe.systemPath]
                    steps.append(Step(id: step.id, name: step.name, key: nil, isCached: false, reason: reason))
                }
                continue
            }
            let layers = parent.map { $0.layers.map(\.description) } ?? Plan.unbuiltParent
            let key = StepKey(step, of: plan, parentLayers: layers, baseEnvironment: environment)
            var image = try parent == nil ? nil : images.cached(key.key)
            var reason: String?
            let isOpen = step.packages?.resolve != nil && step.packages?.locked == nil
            let resolved = try isOpen ? images.resolved(key.key) : nil
            if let limit = refreshesOlder, let resolved, -resolved.timeIntervalSinceNow > limit / .seconds(1) {
                (image, reason) = (
                    nil,
                    "resolved \(-resolved.timeIntervalSinceNow > 172_800 ? "\(Int(-resolved.timeIntervalSinceNow / 86400)) days" : "\(Int(-resolved.timeIntervalSinceNow / 3600)) hours") ago"
                )
            } else if step.packages?.isRenewed == true {
                (image, reason) = (nil, "asked for")
            } else if image == nil {
                reason = Plan.reason(old: try images.lastRecord(recipe: plan.recordName, step: step.id), new: key.record)
            }
            steps.append(Step(id: step.id, name: step.name, key: parent == nil ? nil : key.key, isCached: image != nil, reason: reason, resolved: resolved))
            parent = image
        }
        self.steps = steps
        self.baseBuilt = baseBuilt
    }
}
