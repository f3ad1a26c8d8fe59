import Foundation
import Images
import Recipes
import Remotes

/// Bases in caches elsewhere: by their definitions, with the record of the packages that they were made from, so that another store goes on from the same.
extension BaseBuilder {
    /// The base as it was made elsewhere; nil when nobody has it, or it is not one that is built.
    func find(_ plan: Plan, in remote: RemoteSteps) throws -> Image? {
        switch plan.recipe.base {
        case .named(let name):
            guard let definition = try definition(name, plan) else { return nil }
            let key = Self.key(of: definition)
            return remote.base(key) { [images, home] image, record in
                try images.cache(record.cacheKey, image: image, recipe: "", step: "base \(name)", record: ["definition": definition.canonical])
                try record.save("\(home)/bases/\(key).json")
            }
        case .tar:
            let key = Self.key(ofArchive: plan)
            return remote.step(key) { [images] in try images.cache(key, image: $0, recipe: "", step: "base tar", record: ["archive": key]) }
        default: return nil
        }
    }

    /// What a cache elsewhere is given of the base.
    func entries(of plan: Plan, _ image: Image) throws -> [StepCache.Entry] {
        switch plan.recipe.base {
        case .named(let name):
            guard let definition = try definition(name, plan) else { return [] }
            let key = Self.key(of: definition)
            // Of a base that was found elsewhere, the record comes with its chunks.
            guard let record = try record(key) else { return [] }
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return [StepCache.Entry(base: key, image, record: String(decoding: try encoder.encode(record), as: UTF8.self))]
        case .tar: return [StepCache.Entry(step: Self.key(ofArchive: plan), image)]
        default: return []
        }
    }
}
