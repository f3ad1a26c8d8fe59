import ChunkStore
import Images
import Recipes

/// A layer of packages that another build left in the store, and that has much of what a step asks for.
public struct NearLayer: Sendable {
    public let image: Image
    /// Of the packages that were asked for, those that are installed in it; by name, sorted.
    public let has: [String]
    /// How many were asked for.
    public let asked: Int

    /// The one on the same base that has most of the packages, and among equals the one with the least beside them.
    ///
    /// - Returns: nil when none has half of them.
    static func find(for step: PlanStep, on base: Image, in images: ImageStore) throws -> NearLayer? {
        guard let request = step.packages?.request else { return nil }
        let wanted = Set(request.packages.map { String($0.prefix { !"=/:<>~![; ".contains($0) }) })
        if wanted.isEmpty { return nil }
        let label = PlanRunner.installedLabel(request.manager.name)
        var best: (near: NearLayer, key: String, installed: Int)?
        for (key, digest) in try images.cachedImages(step: step.id) {
            let image = try images.image(digest)
            guard image.layers.count == base.layers.count + 1, image.layers.starts(with: base.layers), let text = image.labels[label] else { continue }
            // A line is a name, maybe with its architecture, and a version.
            let installed = Set(text.split(separator: "\n").map { String($0.prefix { $0 != " " && $0 != ":" && $0 != "=" }) })
            let has = wanted.intersection(installed).sorted()
            guard has.count * 2 >= wanted.count else { continue }
            if let best, (best.near.has.count, -best.installed) >= (has.count, -installed.count) { continue }
            best = (NearLayer(image: image, has: has, asked: wanted.count), key, installed.count)
        }
        // Held from now on; one that has gone meanwhile is none.
        guard let best, try images.cached(best.key)?.digest == best.near.image.digest else { return nil }
        return best.near
    }
}
