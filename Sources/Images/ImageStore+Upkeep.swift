import ChunkStore
import Foundation
import GRDB
import Glibc
import Linux

extension ImageStore {
    // MARK: garbage

    /// What `gc` removed.
    public struct Collected: Codable, Sendable {
        public var images = 0
        public var cacheEntries = 0
        /// Names of superseded checkpoints.
        public var names = 0
        public var packs = 0
        public var chunks = 0
        public var bytes: Int64 = 0
        /// Nil when it was not asked for.
        public var repacked: ChunkStore.Repacked?
    }

    /// Removes what no name, no machine and no cache entry reaches, and nobody reads or has just made.
    ///
    /// Nobody waits for it longer than it takes to look through the layers' maps: what is left of packs is written anew while others go on.
    /// - Parameters:
    ///   - cacheDays: cache entries that were not used for so many days are dropped first; 0 drops all.
    ///   - grace: in seconds: images that are younger stay.
    ///   - wait: in seconds: how long to wait for writers to finish.
    ///   - repack: compress what stays as small as is worth it, if it was not yet. That takes long, and nobody waits for it.
    ///   - maxBytes: cache entries are given up, oldest first, until the store has at most so many; ``ImageError`` `quota` when that is not enough.
    public func collectGarbage(
        cacheDays: Double = 30, grace: Double = 0, wait: Double = 60, retention: Retention = Retention(), repack: Bool = false, maxBytes: Int64? = nil
    ) throws -> Collected {
        let only = try FileLock(path + "/gc.lock")
        defer { withExtendedLifetime(only) {} }
        var result = Collected()
        let reserve = Reserve(path)
        defer { reserve.fill() }
        let (kept, names) = try reserve.spending { try apply(retention) }
        result.names = names
        let cutoff = Date().timeIntervalSince1970 - cacheDays * 86400
        try reserve.spending {
            result.cacheEntries = try chunks.index.write { database in
                try database.execute(sql: "DELETE FROM cache WHERE used <= ?", arguments: [cutoff])
                return database.changesCount
            }
            try sweep(&result, grace: grace, wait: wait, keeping: kept, all: repack)
        }
        if let maxBytes { try evict(to: maxBytes, &result) { try sweep(&$0, grace: grace, wait: wait, keeping: kept, leastNeeded: 0.9) } }
        if repack {
            result.repacked = try chunks.repack(readingOrder())
            // So that the next list has not to.
            _ = try summaries(of: allImages())
        }
        return result
    }

    /// - Parameters:
    ///   - all: forget also in packs of which most is needed what is not.
    ///   - leastNeeded: the part of a pack that must be needed for it to stay as it is.
    private func sweep(
        _ result: inout Collected, grace: Double, wait: Double, keeping kept: Set<Digest>, all: Bool = false, leastNeeded: Double = 0.5
    ) throws {
        var sparse: [Int64] = []
        var reach = Reach(blobs: [], chunks: try chunks.noNumbers())
        // Most is looked at while nobody has to wait, and the rest, which is new, under the lock.
        let known = Set(try allImages())
        for image in try roots().all where known.contains(image) { try keep(image, &reach) }
        do {
            let lock = try chunks.lockForCollection(waiting: wait)
            defer { withExtendedLifetime(lock) {} }
            reach.chunks.extend(to: try chunks.noNumbers())
            let dead = try mark(&reach, grace, keeping: kept)
            try dropAttachments(keeping: Set(allImages()).subtracting(dead))
            reach.blobs.formUnion(try foreignBlobs())
            // Rows first: who finds no row does not look for the blobs.
            try chunks.index.write { database in
                for table in ["images", "summaries"] {
                    for image in dead { try database.execute(sql: "DELETE FROM \(table) WHERE digest = ?", arguments: [Data(image.bytes)]) }
                }
            }
            result.images += dead.count
            let packs = try Set(chunks.packDigests())
            for blob in try chunks.blobs.all() where !reach.blobs.contains(blob) && !packs.contains(blob) {
                result.bytes += chunks.blobs.size(of: blob) ?? 0
                removeName(chunks.blobs.path(of: blob))
            }
            let (collected, left) = try chunks.collectGarbage(keeping: reach.chunks, all: all, leastNeeded: leastNeeded, lock)
            result.packs += collected.packs
            result.chunks += collected.chunks
            result.bytes += collected.bytes
            sparse = left
        }
        result.bytes += try chunks.compact(sparse).bytes
        try collectRecords()
        let images = Set(try allImages())
        try maps.collect(keeping: images)
        try collectForeignMarks(keeping: images)
        try collectStartProfiles(keeping: images)
        try removeStrayFiles()
    }

    /// What images need.
    private struct Reach {
        var blobs: Set<Digest>
        var chunks: NumberSet
    }

    /// Gathers what is needed, and returns the images that are not.
    private func mark(_ reach: inout Reach, _ grace: Double, keeping kept: Set<Digest>) throws -> [Digest] {
        let roots = try roots()
        let images = Set(try allImages())
        if let lost = roots.named.first(where: { !images.contains($0) }) {
            throw ImageError(
                "corrupt", "nothing is removed: the image \(lost) has a name or a machine, and the index does not know it",
                fix: "`terrine verify --rebuild-index` finds it again if it is there; otherwise take the name away with `terrine rmi`")
        }
        var dead: [Digest] = []
        for image in images {
            // From here on nobody begins to read one that goes.
            if try kept.contains(image) || roots.all.contains(image) || age(image) < grace || !maps.removeIfUnused(image) {
                try keep(image, &reach)
            } else {
                dead.append(image)
            }
        }
        return dead
    }

    /// All images' chunks as they are read one after the other, and 0 between those that do not lie side by side.
    ///
    /// Those with few layers come first: what many images share does not depend on which of them there are.
    private func readingOrder() throws -> [UInt32] {
        var order: [UInt32] = []
        var last: ImageMap?
        for image in try summaries(of: allImages()).values.sorted(by: { ($0.layers, $0.digest) < ($1.layers, $1.digest) }) {
            // A damaged image has no say; `verify` tells of it.
            guard let map = try? maps.open(image.digest) ?? self.map(of: self.image(image.digest)) else { continue }
            var next = 0
            try map.forEachDifference(from: last) { place, _, number in
                if place != next || number == 0 { order.append(0) }
                if number != 0 { order.append(number) }
                next = place + 1
            }
            order.append(0)
            last = map
        }
        return order
    }

    /// Blobs of images that another program put into the layout.
    private func foreignBlobs() throws -> Set<Digest> {
        var blobs: Set<Digest> = []
        for entry in try readIndex().manifests where entry.annotations?[OCIIndex.imageKey] == nil {
            blobs.insert(entry.digest)
            // What is no manifest names no blobs that we could know.
            guard let bytes = try? chunks.blobs.read(entry.digest), let manifest = try? JSONDecoder().decode(OCIManifest.self, from: Data(bytes)) else {
                continue
            }
            blobs.insert(manifest.config.digest)
            blobs.formUnion(manifest.layers.map(\.digest))
        }
        return blobs
    }

    /// Locks that nobody holds, and files that a dead process did not finish.
    private func removeStrayFiles() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path + "/flights") {
            let file = "\(path)/flights/\(name)"
            // Unlinked while it is held: who waits for it finds that it has no name any more, and makes another.
            if let lock = try FileLock(ifFree: file) { withExtendedLifetime(lock) { _ = removeName(file) } }
        }
        for folder in ["maps", "pins", "."] {
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)") where name.contains(".new.") {
                let file = "\(path)/\(folder)/\(name)"
                var status = stat()
                if stat(file, &status) == 0, abs(time(nil) - status.st_mtim.tv_sec) > 60 { removeName(file) }
            }
        }
    }

    /// The images that somebody counts on, and those that the cache names.
    func roots() throws -> (named: Set<Digest>, all: Set<Digest>) {
        var named = Set(try references().map(\.digest))
        for owner in try pins() { named.formUnion(try pinned(by: owner)) }
        let cached = try chunks.index.read { try Data.fetchAll($0, sql: "SELECT image FROM cache") }.compactMap { Digest(bytes: $0) }
        return (named, named.union(cached))
    }

    private func keep(_ image: Digest, _ reach: inout Reach) throws {
        reach.blobs.formUnion([image, try manifestDigest(image)])
        for layer in try self.manifest(of: image).layers where reach.blobs.insert(layer.digest).inserted {
            try chunks.insertNumbers(of: self.layer(layer.digest).chunks.lazy.compactMap(\.digest), into: &reach.chunks)
        }
    }

    /// Seconds since it was made, or made again.
    func age(_ image: Digest) -> Double {
        var status = stat()
        // Of one that was made before the clock went back nothing is known but that it is young.
        return stat(chunks.blobs.path(of: image), &status) == 0 ? Double(max(0, time(nil) - status.st_mtim.tv_sec)) : .infinity
    }

    // MARK: verifying

    /// What `verify` found.
    public struct Verification: Codable, Sendable {
        public var images = 0
        public var chunks = 0
        public var problems: [Problem] = []

        public struct Problem: Codable, Sendable {
            public var message: String
            /// Names, or digests, of the images that cannot be used whole.
            public var images: [String] = []
            /// Names of the machines whose own writes are damaged.
            public var machines: [String] = []

            public init(message: String, images: [String] = [], machines: [String] = []) {
                (self.message, self.images, self.machines) = (message, images, machines)
            }
        }
    }

    /// Reads everything that is in the store, or only what `images` need, and says what is wrong with it.
    public func verify(_ images: [Image]? = nil) throws -> Verification {
        let lock = try chunks.writerLock()
        defer { withExtendedLifetime(lock) {} }
        var result = Verification()
        let names = Dictionary(grouping: try references(), by: \.digest).mapValues { $0.map(\.name) }
        if let images {
            for image in images {
                result.images += 1
                let numbers = Set(try map(of: image).numbers())
                result.chunks += numbers.count
                func note(_ error: any Error) {
                    result.problems.append(Verification.Problem(message: "\(error)", images: names[image.digest] ?? [image.digest.description]))
                }
                do { try verify(image.digest, []) } catch { note(error) }
                try chunks.verify(numbers) { note($0) }
            }
            return result
        }
        var broken: [StoreError] = []
        let read = try chunks.verify { broken.append($0) }
        result.chunks = read.count
        var affected: [String] = []
        let all = Set(try allImages())
        for image in all.sorted() {
            result.images += 1
            let called = names[image] ?? [image.description]
            do {
                try verify(image, read.bad)
            } catch {
                affected += called
                result.problems.append(Verification.Problem(message: "\(error)", images: called))
            }
        }
        for reference in try references() where !all.contains(reference.digest) {
            result.problems.append(
                Verification.Problem(message: "the name \(reference.name) leads to \(reference.digest), which is not in the store", images: [reference.name]))
        }
        for damaged in try damagedNames() { result.problems.append(Verification.Problem(message: damaged.message, images: [damaged.name])) }
        for owner in try pins() {
            for digest in try pinned(by: owner) where !all.contains(digest) {
                result.problems.append(Verification.Problem(message: "\(owner) needs \(digest), which is not in the store", images: [digest.description]))
            }
        }
        for error in broken { result.problems.append(Verification.Problem(message: error.description, images: affected)) }
        return result
    }

    private func verify(_ digest: Digest, _ bad: Set<Digest>) throws {
        let image = try image(digest)
        let manifest = try manifest(of: digest)
        guard manifest.config.digest == digest, manifest.layers.count == image.layers.count else {
            throw ImageError("corrupt", "the manifest of the image \(digest) belongs to another", fix: "build the image again")
        }
        for (layer, diffID) in zip(manifest.layers, image.layers) {
            let plain = try Zstandard.decompress(chunks.blobs.read(layer.digest), limit: 1 << 31)
            guard Digest.of(plain) == diffID else {
                throw ImageError("corrupt", "the layer \(layer.digest) of \(digest) is not \(diffID)", fix: "build the image again")
            }
            let needed = Set(try LayerBlob(decoding: plain).chunks.compactMap(\.digest))
            let known = try chunks.numbers(of: needed)
            if let missing = needed.first(where: { known[$0] == nil || bad.contains($0) }) {
                throw ImageError("corrupt", "the chunk \(missing) of the image \(digest) cannot be read", fix: "build the image again")
            }
        }
    }

    /// Opens the store of `home` with an index that is made anew, also when the one that is there cannot be read at all.
    public static func rebuildingIndex(home: String) throws -> ImageStore {
        do {
            let store = try ImageStore(home: home)
            if let damage = try store.chunks.index.damage() { throw StoreError("corrupt", "the index of \(home) is damaged", cause: damage) }
            try store.rebuildIndex()
            return store
        } catch let error as StoreError where error.code == "corrupt" || error.code == "unsupported" || error.code == "index" {
            try setAsideIndex(of: home)
            return try ImageStore(home: home)
        }
    }

    /// Kept, for whoever wants to know what happened to it; the log and the shared memory belong to it.
    private static func setAsideIndex(of home: String) throws {
        let lock = try FileLock(home + "/store/open.lock")
        defer { withExtendedLifetime(lock) {} }
        let index = home + "/store/index.sqlite"
        try renameFile(index, to: index + ".damaged")
        for part in ["-wal", "-shm"] { removeName(index + part) }
        try syncFolder(home + "/store")
    }

    /// Makes the index anew from the blobs. Who reads meanwhile is not disturbed; writers wait.
    public func rebuildIndex() throws {
        let lock = try chunks.lockForCollection(waiting: 60)
        defer { withExtendedLifetime(lock) {} }
        let packs = try chunks.rebuildIndex()
        var found: [(image: Digest, manifest: Digest)] = []
        for blob in try chunks.blobs.all() where !packs.contains(blob) {
            guard let size = chunks.blobs.size(of: blob), size < 16 << 20 else { continue }
            // What is no manifest of ours is one of the other kinds of blob.
            guard let bytes = try? chunks.blobs.read(blob), bytes.first == 0x7B, let manifest = try? JSONDecoder().decode(OCIManifest.self, from: Data(bytes)),
                manifest.artifactType == OCIManifest.artifactType
            else { continue }
            found.append((manifest.config.digest, blob))
        }
        let images = found.compactMap { entry in (try? image(entry.image)).map { ($0, entry.manifest) } }  // A manifest without its config is no image.
        try chunks.index.write { database in
            try Self.create(database)
            for table in ["images", "summaries"] { try database.execute(sql: "DELETE FROM \(table)") }
            for (image, manifest) in images {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO images (digest, manifest) VALUES (?, ?)", arguments: [Data(image.digest.bytes), Data(manifest.bytes)])
                guard let key = image.cacheKey else { continue }
                try database.execute(
                    sql: "INSERT OR IGNORE INTO cache (key, image, recipe, step, record, used) VALUES (?, ?, ?, ?, '{}', ?)",
                    arguments: [key, Data(image.digest.bytes), image.machine.recipe ?? "", image.step ?? "", Date().timeIntervalSince1970])
            }
            try database.execute(sql: "DELETE FROM cache WHERE image NOT IN (SELECT digest FROM images)")
        }
    }
}
