import ChunkStore
import Foundation
import Images
import Recipes
import Remotes
import Synchronization

/// Steps that are cached elsewhere. What was found counts as cached, and nothing of it is fetched until somebody stands on it: of a row of such steps
/// only the last one's image is, which has all that those before it have.
final class RemoteSteps {
    /// What was found could not be fetched: the build begins again without the cache.
    struct Lost: Error {}

    private struct Waiting {
        var cache: StepCache
        var found: Pull.Found
        /// Makes the store know it as its own build would.
        var note: (Image) throws -> Void
    }

    private let caches: [StepCache]
    private let images: ImageStore
    private let reporter: any BuildReporter
    private var waiting: [Waiting] = []
    /// Of a base that was found: what it was made from.
    private(set) var baseRecord: BaseRecord?

    init(_ caches: [StepCache], images: ImageStore, reporter: any BuildReporter) {
        (self.caches, self.images, self.reporter) = (caches, images, reporter)
    }

    /// What a step with this key made.
    ///
    /// - Parameters:
    ///   - isRight: whether an image can be what such a step makes.
    ///   - note: called when the image is here.
    func step(_ key: String, isRight: (Image) -> Bool, note: @escaping (Image) throws -> Void) -> Image? {
        for cache in caches {
            guard let found = cache.step(key, isRight: isRight) else { continue }
            waiting.append(Waiting(cache: cache, found: found, note: note))
            return found.image
        }
        return nil
    }

    /// The base that a definition with this key gave elsewhere.
    ///
    /// - Parameter isRight: whether the record's key can be one that the definition gives.
    func base(_ definition: String, isRight: (BaseRecord) -> Bool, note: @escaping (Image, BaseRecord) throws -> Void) -> Image? {
        for cache in caches {
            // A record that cannot be read is none.
            guard let (found, text) = cache.base(definition), let record = try? JSONDecoder().decode(BaseRecord.self, from: Data(text.utf8)),
                record.cacheKey == found.image.cacheKey, isRight(record)
            else { continue }
            baseRecord = record
            waiting.append(Waiting(cache: cache, found: found) { try note($0, record) })
            return found.image
        }
        return nil
    }

    /// Calls `note` once the image is here: now, or when what waits has been fetched.
    func whenHere(_ image: Image, _ note: @escaping (Image) throws -> Void) throws {
        guard let index = waiting.lastIndex(where: { $0.found.image.digest == image.digest }) else { return try note(image) }
        let first = waiting[index].note
        waiting[index].note = {
            try first($0)
            try note($0)
        }
    }

    /// An image was found here that has what waits.
    func drop() { waiting = [] }

    /// Fetches what was found last, and with it what was found before.
    ///
    /// - Throws: ``Lost`` when it cannot be had.
    func fetch() throws {
        guard let last = waiting.last else { return }
        let before = last.cache.fetchedBytes
        let start = ContinuousClock.now
        do {
            let notes = TransferNotes(reporter, "fetching cached steps from \(last.cache.name)")
            for one in waiting.reversed() { try one.note(try one.cache.fetch(one.found) { notes.tell($0) }) }
        } catch  where error is RemoteError || (error as? ImageError).map({ ["corrupt", "incomplete", "unsupported"].contains($0.code) }) ?? false {
            last.cache.giveUp(error)
            waiting = []
            throw Lost()
        }
        let time = ContinuousClock.now - start
        reporter.report(
            .note("fetched \(waiting.count) cached steps from \(last.cache.name): \(last.cache.fetchedBytes - before) bytes in \(time.milliseconds) ms"))
        waiting = []
    }
}
