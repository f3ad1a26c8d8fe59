import ChunkStore
import Foundation
import GRDB

/// What `images`, `inspect` and `history` tell of an image without reading it; kept in the index, and found again where it is not.
struct ImageSummary {
    var digest: Digest
    var virtualBytes: Int64
    var layers: Int
    var recipe: String?
    var step: String?
    var parent: Digest?
    /// Chunks that its own layer changes; 0 when it has none.
    var changedChunks: Int
    /// Of the layers' blobs.
    var layerBytes: Int64
    /// Nil when they are to be measured: they change when packs are written anew.
    var sizes: Sizes?

    struct Sizes {
        /// Plain bytes of its chunks.
        var allocatedBytes: Int64
        /// Of the frames that it reaches.
        var frameBytes: Int64
        /// Of those that its parent does not.
        var addedBytes: Int64
    }

    /// Compressed bytes that it reaches.
    var storedBytes: Int64 { layerBytes + (sizes?.frameBytes ?? 0) }

    static func create(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS summaries (
                    digest BLOB PRIMARY KEY, virtualBytes INTEGER NOT NULL, layers INTEGER NOT NULL, recipe TEXT, step TEXT, parent BLOB,
                    changedChunks INTEGER NOT NULL, layerBytes INTEGER NOT NULL, moves INTEGER, allocatedBytes INTEGER, frameBytes INTEGER, addedBytes INTEGER);
                """)
    }

    init(_ image: Image, changedChunks: Int, layerBytes: Int64) {
        (digest, virtualBytes, layers, parent) = (image.digest, image.virtualBytes, image.layers.count, image.parent)
        (recipe, step) = (image.machine.recipe, image.step)
        (self.changedChunks, self.layerBytes) = (changedChunks, layerBytes)
    }

    /// Nil for what is no row of ours. Sizes of before the last of `moves` do not count.
    fileprivate init?(_ row: Row, moves: Int64) {
        guard let digest = Digest(bytes: row[0] as Data) else { return nil }
        self.digest = digest
        (virtualBytes, layers, recipe, step) = (row[1], row[2], row[3], row[4])
        parent = (row[5] as Data?).flatMap { Digest(bytes: $0) }
        (changedChunks, layerBytes) = (row[6], row[7])
        if row[8] as Int64? == moves { sizes = Sizes(allocatedBytes: row[9], frameBytes: row[10], addedBytes: row[11]) }
    }

    /// - Parameter moves: how often packs had been written anew when the sizes were measured.
    func save(moves: Int64? = nil, _ database: Database) throws {
        try database.cachedStatement(sql: "INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").execute(arguments: [
            Data(digest.bytes), virtualBytes, layers, recipe, step, parent.map { Data($0.bytes) }, changedChunks, layerBytes, moves, sizes?.allocatedBytes,
            sizes?.frameBytes, sizes?.addedBytes,
        ])
    }
}

extension ImageStore {
    /// What is known of these images, and of no other.
    func summaries(of digests: [Digest]) throws -> [Digest: ImageSummary] {
        let wanted = Set(digests)
        var (found, moves) = try knownSummaries(wanted.count > 16 ? nil : wanted)
        found = found.filter { wanted.contains($0.key) }
        for digest in wanted where found[digest] == nil { found[digest] = try summarize(digest) }
        // Older ones first, so that what is measured one after the other differs little.
        let unmeasured = found.values.filter { $0.sizes == nil }.sorted { ($0.layers, $0.digest) < ($1.layers, $1.digest) }
        if unmeasured.isEmpty { return found }
        let measured = try measure(unmeasured)
        for summary in measured { found[summary.digest] = summary }
        // They are right all the same if they cannot be kept, on a full disk for example.
        try? chunks.index.write { database in for summary in measured { try summary.save(moves: moves, database) } }
        return found
    }

    /// The image, and what it was made from, as far as the store has it.
    func summaries(from digest: Digest) throws -> [ImageSummary] {
        let known = try knownSummaries(nil).found
        var line: [Digest] = []
        var next: Digest? = digest
        while let digest = next, chunks.blobs.contains(digest) {
            line.append(digest)
            next = try known[digest].map(\.parent) ?? image(digest).parent
        }
        let summaries = try summaries(of: line)
        return line.compactMap { summaries[$0] }
    }

    /// Those that the index has; nil: all.
    private func knownSummaries(_ digests: Set<Digest>?) throws -> (found: [Digest: ImageSummary], moves: Int64) {
        try chunks.index.read { database in
            let moves = try ChunkIndex.moves(database)
            var found: [Digest: ImageSummary] = [:]
            func take(_ rows: RowCursor) throws { while let row = try rows.next() { if let one = ImageSummary(row, moves: moves) { found[one.digest] = one } } }
            guard let digests else {
                try take(Row.fetchCursor(database, sql: "SELECT * FROM summaries"))
                return (found, moves)
            }
            for digest in digests { try take(Row.fetchCursor(database, sql: "SELECT * FROM summaries WHERE digest = ?", arguments: [Data(digest.bytes)])) }
            return (found, moves)
        }
    }

    /// From the image itself.
    private func summarize(_ digest: Digest) throws -> ImageSummary {
        let image = try image(digest)
        let manifest = try manifest(of: digest)
        let parentLayers = try image.parent.flatMap { chunks.blobs.contains($0) ? try self.image($0).layers.count : nil } ?? 0
        let own = image.layers.count > parentLayers ? manifest.layers.last : nil
        return ImageSummary(image, changedChunks: try own.map { try layer($0.digest).chunks.count } ?? 0, layerBytes: manifest.layerBytes)
    }

    private func measure(_ summaries: [ImageSummary]) throws -> [ImageSummary] {
        var reach = ChunkReach(chunks)
        var last: ImageMap?
        func move(to digest: Digest?) throws {
            let map = try digest.flatMap { chunks.blobs.contains($0) ? try maps.open($0) ?? self.map(of: image($0)) : nil }
            // What comes first: a frame that both need is not looked up twice.
            try map?.forEachDifference(from: last) { _, _, new in if new != 0 { try reach.add(new) } }
            try last?.forEachDifference(from: map) { _, _, old in if old != 0 { try reach.remove(old) } }
            last = map
        }
        return try summaries.map { summary in
            try move(to: summary.parent)
            _ = try reach.takeAdded()
            try move(to: summary.digest)
            var measured = summary
            measured.sizes = ImageSummary.Sizes(
                allocatedBytes: reach.plainBytes, frameBytes: reach.storedBytes, addedBytes: try reach.takeAdded())
            return measured
        }
    }
}
