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
        public var packs = 0
        public var chunks = 0
        public var bytes: Int64 = 0
    }

    /// Removes what no name, no machine and no cache entry reaches.
    ///
    /// - Parameters:
    ///   - cacheDays: cache entries that were not used for so many days are dropped first; 0 drops all.
    ///   - grace: in seconds: what is younger stays, since its maker may be about to name it.
    ///   - wait: in seconds: how long to wait for writers to finish.
    public func collectGarbage(cacheDays: Double = 30, grace: Double = 600, wait: Double = 30) throws -> Collected {
        let lock = try chunks.lockForCollection(waiting: wait)
        var result = Collected()
        let cutoff = Date().timeIntervalSince1970 - cacheDays * 86400
        result.cacheEntries = try chunks.index.database.write { database in
            try database.execute(sql: "DELETE FROM cache WHERE used <= ?", arguments: [cutoff])
            return database.changesCount
        }
        let roots = try roots()
        var neededBlobs: Set<Digest> = []
        var neededChunks: Set<Digest> = []
        var dead: [Digest] = []
        for image in try allImages() {
            let isYoung = age(image).map { $0 < grace } ?? false
            guard roots.contains(image) || isYoung else {
                dead.append(image)
                continue
            }
            try keep(image, &neededBlobs, &neededChunks)
        }
        // Rows first: who finds no row does not look for the blobs.
        try chunks.index.database.write { database in
            for image in dead { try database.execute(sql: "DELETE FROM images WHERE digest = ?", arguments: [Data(image.bytes)]) }
        }
        for image in dead { unlink("\(path)/maps/\(image.hex)") }
        result.images = dead.count
        let packs = try Set(chunks.packDigests())
        for blob in try chunks.blobs.all() where !neededBlobs.contains(blob) && !packs.contains(blob) {
            guard let age = age(blob), age >= grace else { continue }
            result.bytes += chunks.blobs.size(of: blob) ?? 0
            unlink(chunks.blobs.path(of: blob))
        }
        let collected = try chunks.collectGarbage(keeping: neededChunks, grace: grace, lock)
        (result.packs, result.chunks) = (collected.packs, collected.chunks)
        result.bytes += collected.bytes
        for flight in try FileManager.default.contentsOfDirectory(atPath: path + "/flights") {
            // A lock that somebody waits for would be another one if it were made again: only those that nobody has looked at for a day.
            let file = "\(path)/flights/\(flight)"
            var status = stat()
            if stat(file, &status) == 0, time(nil) - status.st_mtim.tv_sec > 86400, try FileLock(ifFree: file) != nil { unlink(file) }
        }
        return result
    }

    /// The images that something names.
    private func roots() throws -> Set<Digest> {
        var roots = Set(try references().map(\.digest))
        for owner in try pins() { roots.formUnion(try pinned(by: owner)) }
        roots.formUnion(try chunks.index.database.read { try Data.fetchAll($0, sql: "SELECT image FROM cache") }.compactMap { Digest(bytes: $0) })
        return roots
    }

    private func keep(_ image: Digest, _ blobs: inout Set<Digest>, _ chunkDigests: inout Set<Digest>) throws {
        let row = try chunks.index.database.read { try Data.fetchOne($0, sql: "SELECT manifest FROM images WHERE digest = ?", arguments: [Data(image.bytes)]) }
        guard let manifest = row.flatMap({ Digest(bytes: $0) }) else { return }
        blobs.formUnion([image, manifest])
        for layer in try self.manifest(of: image).layers where blobs.insert(layer.digest).inserted {
            chunkDigests.formUnion(try self.layer(layer.digest).chunks.compactMap(\.digest))
        }
    }

    private func age(_ blob: Digest) -> Double? {
        var status = stat()
        return stat(chunks.blobs.path(of: blob), &status) == 0 ? Double(time(nil) - status.st_mtim.tv_sec) : nil
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
            public var images: [String]
        }
    }

    /// Reads everything that is in the store, and says what is wrong with it.
    public func verify() throws -> Verification {
        let lock = try chunks.writerLock()
        defer { withExtendedLifetime(lock) {} }
        var result = Verification()
        var broken: [(StoreError, String?)] = []
        let bad = try chunks.verify { broken.append(($0, nil)) }
        result.chunks = try chunks.size().chunks
        let names = Dictionary(grouping: try references(), by: \.digest).mapValues { $0.map(\.name) }
        var affected: [String] = []
        for image in try allImages() {
            result.images += 1
            let called = names[image] ?? [image.description]
            do {
                try verify(image, bad)
            } catch {
                affected += called
                result.problems.append(Verification.Problem(message: "\(error)", images: called))
            }
        }
        for reference in try references() where try !allImages().contains(reference.digest) {
            result.problems.append(
                Verification.Problem(message: "the name \(reference.name) leads to \(reference.digest), which is not in the store", images: [reference.name]))
        }
        for (error, _) in broken { result.problems.append(Verification.Problem(message: error.description, images: affected)) }
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

    /// Makes the index anew from the blobs.
    public func rebuildIndex() throws {
        let lock = try chunks.lockForCollection(waiting: 30)
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
        try chunks.index.database.write { database in
            try database.execute(sql: "DELETE FROM images; DELETE FROM cache")
            for (image, manifest) in images {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO images (digest, manifest) VALUES (?, ?)", arguments: [Data(image.digest.bytes), Data(manifest.bytes)])
                guard let key = image.cacheKey else { continue }
                try database.execute(
                    sql: "INSERT OR REPLACE INTO cache (key, image, recipe, step, record, used) VALUES (?, ?, ?, ?, '{}', ?)",
                    arguments: [key, Data(image.digest.bytes), image.machine.recipe ?? "", image.step ?? "", Date().timeIntervalSince1970])
            }
        }
        for map in try FileManager.default.contentsOfDirectory(atPath: path + "/maps") { unlink("\(path)/maps/\(map)") }
    }
}
