import ChunkStore
import Images
import Recipes

/// What the image of a name was built from, kept so that a look tells whether anything changed: nothing is built or fetched for it, and it does not matter whether
/// the steps are still in the cache.
public struct BuildRecord: Sendable {
    public enum Change: Sendable {
        /// The name's image is what a build would make.
        case none(Image)
        /// Why it is not, for people.
        case some(reason: String)
    }

    private static let step = "build"
    /// Begins the names of what the base's environment is.
    private static let environment = "environment "
    let images: ImageStore
    let plan: Plan
    /// With its tag.
    public let reference: String
    let flattens: Bool

    /// - Parameters:
    ///   - reference: the name that the image has or is to get; the recipe's own if nil.
    ///   - flattens: whether it is to be in one layer.
    public init(_ plan: Plan, reference: String? = nil, flattens: Bool = false, images: ImageStore) throws {
        (self.plan, self.flattens, self.images) = (plan, flattens, images)
        self.reference = try ImageReference.normal(reference ?? plan.recipe.name)
    }

    /// Compares the recipe, its inputs and its base with the last build that got this name.
    public func change() throws -> Change {
        guard let record = try images.lastRecord(recipe: owner, step: Self.step) else { return .some(reason: "never built as \(reference)") }
        let image: Image
        do { image = try images.resolve(reference) } catch let error as ImageError where error.code == "notFound" {
            return .some(reason: "there is no image \(reference) any more")
        }
        guard record["image"] == image.digest.description else { return .some(reason: "\(reference) is another image than the one that was built") }
        guard record["form"] == form else { return .some(reason: flattens ? "\(reference) is not in one layer" : "\(reference) is in one layer") }
        guard let base = try BaseBuilder(images: images).identity(of: plan) else { return .some(reason: "\(plan.steps[0].name) was never built") }
        guard record["base"] == base else { return .some(reason: "\(plan.steps[0].name) changed") }
        if let reason = try changedStep(record) { return .some(reason: reason) }
        guard record["checks"] == CheckRunner.key(image, plan.recipe) else { return .some(reason: "checks changed") }
        return .none(image)
    }

    /// Each step's key, taken over the layers below as they were: if nothing changed, they would be the same again.
    private func changedStep(_ record: [String: String]) throws -> String? {
        let steps = plan.steps.dropFirst()
        let brought = record.filter { $0.key.hasPrefix(Self.environment) }.map { (String($0.key.dropFirst(Self.environment.count)), $0.value) }
        let environment = Dictionary(brought) { first, _ in first }
        for step in steps {
            guard let old = record["step \(step.id)"] else { return "new step \(step.name)" }
            let parts = old.split(separator: " ").map(String.init)
            let key = StepKey(step, of: plan, parentLayers: Array(parts.dropFirst()), baseEnvironment: environment)
            if parts.first == key.key { continue }
            guard let last = try images.lastRecord(recipe: plan.recordName, step: step.id) else { return "\(step.name) changed" }
            let reason = Plan.reason(old: last.filter { $0.key != "parent" }, new: key.record.filter { $0.key != "parent" })
            // The recipe was built in between, under another name.
            return reason.hasSuffix("any more") ? "\(step.name) is not as it was in \(reference)" : "\(step.name): \(reason)"
        }
        let ids = Set(steps.map { "step \($0.id)" })
        return record.keys.filter { $0.hasPrefix("step ") && !ids.contains($0) }.sorted().first.map { "\($0) is gone" }
    }

    private var form: String { flattens ? "flat" : "layers" }
    private var owner: String { "name \(reference) \(plan.recordName)" }

    /// Writes only when that is new.
    func note(_ image: Image, base: Image, steps: [(id: String, key: String, parentLayers: [Digest])]) throws {
        let identity = try BaseBuilder(images: images).identity(of: plan) ?? base.digest.description
        var record = ["image": image.digest.description, "base": identity, "checks": CheckRunner.key(image, plan.recipe), "form": form]
        for (name, value) in base.environment { record[Self.environment + name] = value }
        for step in steps { record["step \(step.id)"] = ([step.key] + step.parentLayers.map(\.description)).joined(separator: " ") }
        try images.note(recipe: owner, step: Self.step, record: record)
    }
}
