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
            let isRight = { (record: BaseRecord) in
                [record.indices, record.packages ?? []].contains { Self.cacheKey(key, madeFrom: $0) == record.cacheKey }
            }
            return remote.base(recordName(key, plan), isRight: isRight) { image, record in
                try images.cache(record.cacheKey, image: image, recipe: "", step: "base \(name)", record: ["definition": definition.canonical])
                try save(record, key, plan)
            }
        case .tar:
            let key = Self.key(ofArchive: plan)
            return remote.step(key, isRight: { $0.cacheKey == key }) {
                try images.cache(key, image: $0, recipe: "", step: "base tar", record: ["archive": key])
            }
        // A layout is unpacked into the same bytes anywhere, and an imported image says nothing of a key.
        case .image, .oci, .ociLayout: return nil
        }
    }

    /// What a cache elsewhere is given of the base.
    func entries(of plan: Plan, _ image: Image) throws -> [StepCache.Entry] {
        switch plan.recipe.base {
        case .named(let name):
            guard let definition = try definition(name, plan) else { return [] }
            let key = Self.key(of: definition)
            // Of a base that was found elsewhere, the record comes with its chunks.
            guard let record = try record(key, plan) else { return [] }
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let text = String(decoding: try encoder.encode(record), as: UTF8.self)
            return recordNames(record, key, plan).map { StepCache.Entry(base: $0, image, record: text) }
        case .tar: return [StepCache.Entry(step: Self.key(ofArchive: plan), image)]
        case .image, .oci, .ociLayout: return []
        }
    }
}
