import ChunkStore
import Foundation
import GRDB
import Glibc
import Linux

extension ImageStore {
    /// The image that a step with this key made, if it is still whole.
    public func cached(_ key: String) throws -> Image? {
        let row = try chunks.index.read { try Row.fetchOne($0, sql: "SELECT image, used FROM cache WHERE key = ?", arguments: [key]) }
        guard let row, let digest = Digest(bytes: row["image"] as Data), chunks.blobs.contains(digest) else { return nil }
        let image = try image(digest)
        // Nobody takes it from who is about to use it. One that cannot be held is gone, or damaged: it is made again.
        do { try hold(image) } catch is ImageError { return nil } catch is StoreError { return nil }
        // Once an hour is enough for `gc` to know what is in use, and a build that has nothing to do writes nothing. A clock may have gone back.
        let now = Date().timeIntervalSince1970
        if !chunks.isReadOnly, abs(now - (row["used"] as Double)) > 3600 {
            try chunks.index.write { try $0.execute(sql: "UPDATE cache SET used = ? WHERE key = ?", arguments: [now, key]) }
        }
        return image
    }

    /// What the steps of an id made, whoever's they were, as long as it is there.
    public func cachedImages(step: String) throws -> [(key: String, image: Digest)] {
        let rows = try chunks.index.read { try Row.fetchAll($0, sql: "SELECT key, image FROM cache WHERE step = ? ORDER BY key", arguments: [step]) }
        return rows.compactMap { row in Digest(bytes: row["image"] as Data).map { (row["key"], $0) } }.filter { chunks.blobs.contains($0.image) }
    }

    /// All entries with the images that they name, those first that were not used for the longest time.
    func cacheEntries() throws -> [(key: String, image: Digest)] {
        try chunks.index.read { try Row.fetchAll($0, sql: "SELECT key, image FROM cache ORDER BY used, key") }.compactMap { row in
            Digest(bytes: row["image"] as Data).map { (row["key"], $0) }
        }
    }

    /// Forgets entries.
    func dropCache(_ keys: [String]) throws {
        try chunks.index.write { database in for key in keys { try database.execute(sql: "DELETE FROM cache WHERE key = ?", arguments: [key]) } }
    }

    /// Remembers what a step made, and what it was made from.
    public func cache(_ key: String, image: Image, recipe: String, step: String, record: [String: String]) throws {
        let text = String(decoding: try ImageConfig.canonical(record), as: UTF8.self)
        let lock = try rootsLock()
        defer { withExtendedLifetime(lock) {} }
        _ = try manifestDigest(image.digest)
        try chunks.index.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO cache (key, image, recipe, step, record, used) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [key, Data(image.digest.bytes), recipe, step, text, Date().timeIntervalSince1970])
            try database.execute(sql: "INSERT OR REPLACE INTO records (recipe, step, record) VALUES (?, ?, ?)", arguments: [recipe, step, text])
        }
    }

    /// What the step was made from the last time.
    public func lastRecord(recipe: String, step: String) throws -> [String: String]? {
        let text = try chunks.index.read {
            try String.fetchOne($0, sql: "SELECT record FROM records WHERE recipe = ? AND step = ?", arguments: [recipe, step])
        }
        return try text.map { try JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
    }

    /// Notes what a step that is cached was found by, so that the next change of it is told by name; writes only when that is new.
    public func note(recipe: String, step: String, record: [String: String]) throws {
        if try lastRecord(recipe: recipe, step: step) == record { return }
        let text = String(decoding: try ImageConfig.canonical(record), as: UTF8.self)
        try chunks.index.write {
            try $0.execute(sql: "INSERT OR REPLACE INTO records (recipe, step, record) VALUES (?, ?, ?)", arguments: [recipe, step, text])
        }
    }

    private func flightPath(_ key: String) -> String { "\(path)/flights/\(Digest.of(Array(key.utf8)).hex)" }

    /// Held while a step with this key is made: whoever wants the same waits, and then finds it in the cache.
    public func flightLock(_ key: String) throws -> FileLock {
        while true {
            let lock = try FileLock(flightPath(key))
            if try isNamed(lock, key) { return lock }
        }
    }

    /// As ``flightLock(_:)``; nil when somebody has it.
    public func flightLock(ifFree key: String) throws -> FileLock? {
        while true {
            guard let lock = try FileLock(ifFree: flightPath(key)) else { return nil }
            if try isNamed(lock, key) { return lock }
        }
    }

    /// Whether the lock's file is still the one that others would open: `gc` may have removed it in between.
    private func isNamed(_ lock: FileLock, _ key: String) throws -> Bool {
        var (own, named) = (stat(), stat())
        try check("look at", flightPath(key)) { fstat(lock.descriptor.raw, &own) }
        return stat(flightPath(key), &named) == 0 && own.st_ino == named.st_ino
    }
}
