import ChunkStore
import Foundation
import Glibc
import Linux

/// What `gc` keeps beside what has a name, a machine or a cache entry.
public struct Retention: Sendable {
    /// How many of each recipe's last builds stay, whether or not they still have a name.
    public var builds = 1
    /// How many checkpoints of each line stay, counted from its newest; nil: named ones all.
    public var checkpoints: Int?
    /// Seconds for which superseded checkpoints stay; nil: named ones for ever.
    public var checkpointAge: Double?

    public init() {}
}

extension ImageStore {
    // MARK: builds

    /// The digests of a recipe's builds, newest last, in the format of a pin: they outlive the index, and every `gc` counts on them.
    private func buildsOwner(_ recipe: String) -> String { "builds-\(Digest.of(Array(recipe.utf8)).hex.prefix(32))" }

    /// Whether a build of this recipe is remembered.
    func hasBuilds(_ recipe: String) throws -> Bool { try !pinned(by: buildsOwner(recipe)).isEmpty }

    private func buildsLock() throws -> FileLock { try FileLock(path + "/builds.lock") }

    private func changeBuilds(_ owner: String, _ body: (inout [Digest]) -> Void) throws {
        let before = try pinned(by: owner)
        var builds = before
        body(&builds)
        if builds == before { return }
        if builds.isEmpty { return try unpin(owner) }
        try replaceFile("\(path)/pins/\(owner)", with: Array(builds.map(\.description).joined(separator: "\n").utf8))
    }

    /// Remembers that a build of `recipe` made `image`.
    public func recordBuild(_ recipe: String, _ image: Image) throws {
        let owner = buildsOwner(recipe)
        // A build that had nothing to do writes nothing.
        if try pinned(by: owner).last == image.digest { return }
        let locks = (try rootsLock(), try buildsLock())
        defer { withExtendedLifetime(locks) {} }
        _ = try manifestDigest(image.digest)
        try changeBuilds(owner) { builds in
            builds.removeAll { $0 == image.digest }
            builds.append(image.digest)
        }
    }

    /// Whoever takes an image's last name away wants it to go.
    func forgetBuild(_ image: Digest) throws {
        let lock = try buildsLock()
        defer { withExtendedLifetime(lock) {} }
        for owner in try pins() where owner.hasPrefix("builds-") { try changeBuilds(owner) { $0.removeAll { $0 == image } } }
    }

    private func trimBuilds(to count: Int) throws {
        let lock = try buildsLock()
        defer { withExtendedLifetime(lock) {} }
        for owner in try pins() where owner.hasPrefix("builds-") { try changeBuilds(owner) { $0.removeFirst(max(0, $0.count - count)) } }
    }

    // MARK: checkpoints

    /// Takes names away that `retention` has no use for.
    ///
    /// - Returns: images that stay though nothing else keeps them, and how many names went.
    func apply(_ retention: Retention) throws -> (kept: Set<Digest>, names: Int) {
        try trimBuilds(to: retention.builds)
        if retention.checkpoints == nil && retention.checkpointAge == nil { return ([], 0) }
        var kept: Set<Digest> = []
        var superseded: Set<Digest> = []
        for (image, successors) in try checkpointDepths() {
            let isRecent = retention.checkpoints.map { successors < $0 } ?? false
            let isYoung = retention.checkpointAge.map { age(image) < $0 } ?? false
            if successors == 0 || isRecent || isYoung { kept.insert(image) } else { superseded.insert(image) }
        }
        // A name leads to what a machine stands on as long as it does.
        for owner in try pins() { superseded.subtract(try pinned(by: owner)) }
        return (kept, try dropCheckpointNames { superseded.contains($0) })
    }

    /// Each checkpoint with the number of those that were made from it, one after the other, in the shortest line: 0 for the newest.
    private func checkpointDepths() throws -> [Digest: Int] {
        var parents: [Digest: Digest?] = [:]
        for digest in try allImages() {
            // One that cannot be read is no checkpoint that could be told from others; `verify` tells what is wrong with it.
            guard let image = try? image(digest), image.step == Image.checkpointStep else { continue }
            parents[digest] = image.parent
        }
        let followed = Set(parents.values.compactMap { $0 })
        var depths: [Digest: Int] = [:]
        for newest in parents.keys where !followed.contains(newest) {
            var (depth, next) = (0, Optional(newest))
            while let image = next, parents[image] != nil, depth < depths[image] ?? .max {
                depths[image] = depth
                depth += 1
                next = parents[image] ?? nil
            }
        }
        return depths
    }
}

// MARK: the quota

extension ImageStore {
    /// Bytes of all blobs: packs, layers, configs and manifests.
    func blobBytes() throws -> Int64 { try chunks.blobs.all().reduce(0) { $0 + (chunks.blobs.size(of: $1) ?? 0) } }

    /// Lets the store fit ``limit`` before something is written to it: frees what nothing needs, then the cache, oldest first.
    ///
    /// - Throws: ``ImageError`` `quota` when names and machines alone take more.
    public func makeRoom() throws {
        guard let limit, try blobBytes() > limit else { return }
        do { _ = try collectGarbage(maxBytes: limit) } catch let error as StoreError where error.code == "busy" {
            // Others write all the time: they find it as full, and this one's work is not in vain.
        }
    }

    /// Gives up cached steps, those first that were not used for the longest time, until the store has at most `limit` bytes.
    ///
    /// - Parameter sweep: frees what nothing needs, also from packs of which the greater part is needed.
    func evict(to limit: Int64, _ result: inout Collected, _ sweep: (inout Collected) throws -> Void) throws {
        if try blobBytes() <= limit { return }
        try sweep(&result)
        while try blobBytes() > limit {
            let count = try evictOldest()
            if count == 0 { break }
            result.cacheEntries += count
            try sweep(&result)
        }
        if try blobBytes() > limit { throw try overQuota(limit) }
    }

    /// An eighth of the entries whose images nothing else keeps.
    ///
    /// - Returns: how many went.
    private func evictOldest() throws -> Int {
        let named = try roots().named
        let entries = try cacheEntries().filter { !named.contains($0.image) }
        let oldest = entries.prefix(max(1, entries.count / 8)).map(\.key)
        try dropCache(oldest)
        return oldest.count
    }

    private func overQuota(_ limit: Int64) throws -> ImageError {
        func text(_ bytes: Int64) -> String { ByteCountFormatter.string(fromByteCount: bytes, countStyle: .binary) }
        // Sizes are a help here; the error is told also when an image is damaged.
        let largest = ((try? list()) ?? []).sorted { $0.storedBytes > $1.storedBytes }.prefix(3)
        let named = largest.map { "\($0.name ?? $0.digest) \(text($0.storedBytes))" }.joined(separator: ", ")
        let machines = try pins().filter { $0.hasPrefix("machine-") }.count
        return ImageError(
            "quota", "the store in \(path) takes \(text(try blobBytes())), and may take \(text(limit))",
            cause: "what has a name (\(named.isEmpty ? "nothing" : "the largest: \(named)")), the last builds and \(machines) machines keep it",
            fix: "take names away with `terrine rmi`, old checkpoints with `terrine gc --keep-checkpoints 1`, machines with `terrine rm`, "
                + "then `terrine gc`; or allow more: TERRINE_MAX_STORE, --max-store")
    }
}
