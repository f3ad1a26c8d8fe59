import ChunkStore
import Foundation
import GRDB
import Glibc
import Linux
import Synchronization

/// Images under one home: an OCI image layout whose layers are maps of chunks.
///
/// Any number of processes use it at once. References and pins are files, so that they outlive the index; everything in `index.sqlite` can be found again.
public final class ImageStore: Sendable {
    public let home: String
    public let chunks: ChunkStore
    let maps: MapFolder
    /// Bytes that its blobs may take; nil: as many as there is room for.
    public let limit: Int64?
    /// For maps, where the store takes none.
    private let scratchMaps: ScratchFolder?
    private let held = Mutex<[Descriptor]>([])
    /// The store's folder.
    let path: String

    /// Opens or makes the store of `home`.
    public convenience init(home: String, limit: Int64? = nil) throws { try self.init(home: home, path: home + "/store", limit: limit) }

    init(home: String, path: String, limit: Int64?) throws {
        (self.home, self.path, self.limit) = (home, path, limit)
        do {
            for folder in ["", "/maps", "/pins", "/flights"] {
                try FileManager.default.createDirectory(
                    atPath: path + folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
        } catch {
            throw ImageError(
                "permission", "the store in \(home) cannot be made", cause: (error as NSError).localizedDescription,
                fix: "run it as root, or choose another home with TERRINE_HOME")
        }
        // One at a time: the first to come makes the index, and fills it from blobs that are there already.
        let lock = try FileLock(path + "/open.lock")
        defer { withExtendedLifetime(lock) {} }
        chunks = try Reserve(path).spending { try ChunkStore(path: path) }
        scratchMaps = try chunks.isReadOnly ? ScratchFolder(holding: "maps") : nil
        maps = MapFolder((scratchMaps?.path ?? path) + "/maps", identity: chunks.index.identity)
        if chunks.isReadOnly { return }
        let layout = path + "/oci-layout"
        if access(layout, F_OK) != 0 { try replaceFile(layout, with: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), mode: 0o644) }
        if access(path + "/index.json", F_OK) != 0 {
            try replaceFile(path + "/index.json", with: try ImageConfig.canonical(OCIIndex()), mode: 0o644)
        }
        // The tables come with their rows, in one transaction: an index without them is not complete.
        let tables = try chunks.index.read { try (images: $0.tableExists("images"), summaries: $0.tableExists("summaries")) }
        if !tables.images {
            try rebuildIndex()
            Reserve(path).fill()
        } else if !tables.summaries {
            // Made by an earlier version.
            try chunks.index.write { try ImageSummary.create($0) }
        }
    }

    static func create(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS images (digest BLOB PRIMARY KEY, manifest BLOB NOT NULL);
                CREATE TABLE IF NOT EXISTS cache (
                    key TEXT PRIMARY KEY, image BLOB NOT NULL, recipe TEXT NOT NULL, step TEXT NOT NULL, record TEXT NOT NULL, used REAL NOT NULL);
                CREATE TABLE IF NOT EXISTS records (recipe TEXT NOT NULL, step TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (recipe, step));
                """)
        try ImageSummary.create(database)
    }

    // MARK: reading

    /// The image with that digest.
    public func image(_ digest: Digest) throws -> Image {
        guard chunks.blobs.contains(digest) else {
            throw ImageError("notFound", "there is no image \(digest)", fix: "`terrine images` lists those that there are")
        }
        return try JSONDecoder().decode(ImageConfig.self, from: Data(chunks.blobs.read(digest))).image(digest)
    }

    /// What the image's disk holds.
    public func reader(of image: Image) throws -> ImageReader { ImageReader(store: chunks, map: try map(of: image), image: image) }

    func map(of image: Image) throws -> ImageMap {
        if let map = try maps.open(image.digest) { return map }
        // `gc`, which may be about to take the image, is waited for.
        let locks = (try rootsLock(), try maps.lock())
        defer { withExtendedLifetime(locks) {} }
        if let map = try maps.open(image.digest) { return map }
        var places: [UInt64: UInt32] = [:]
        for layer in try layers(of: image) {
            try lay(layer, over: &places, of: "the image \(image.digest)")
        }
        let sorted = places.map { (index: $0.key, number: $0.value) }.sorted { $0.index < $1.index }
        try maps.write(image.digest, count: Self.places(image.virtualBytes), parent: nil, sorted)
        guard let map = try maps.open(image.digest) else { throw ImageError("internal", "the map of \(image.digest) cannot be read back") }
        return map
    }

    /// Lays a layer over what those below left: numbers of chunks by place, 0 for zeroes.
    ///
    /// - Throws: ``ImageError`` `corrupt`, naming `subject`, when one of its chunks is not in the store.
    func lay(_ blob: Digest, over places: inout [UInt64: UInt32], of subject: @autoclosure () -> String) throws {
        let content = try layer(blob)
        let numbers = try chunks.numbers(of: Set(content.chunks.compactMap(\.digest)))
        for chunk in content.chunks {
            guard let digest = chunk.digest else {
                places[chunk.index] = 0
                continue
            }
            guard let number = numbers[digest] else {
                throw ImageError(
                    "corrupt", "chunk \(chunk.index) of \(subject()) is not in the store", cause: "its digest is \(digest)", fix: "build the image again")
            }
            places[chunk.index] = number
        }
    }

    private static func places(_ bytes: Int64) -> Int { Int((bytes + Int64(ChunkStore.chunkBytes) - 1) / Int64(ChunkStore.chunkBytes)) }

    func manifest(of image: Digest) throws -> OCIManifest {
        let digest = try manifestDigest(image)
        return try JSONDecoder().decode(OCIManifest.self, from: Data(chunks.blobs.read(digest)))
    }

    /// The blobs of an image's layers, oldest first.
    func layers(of image: Image) throws -> [Digest] { try manifest(of: image.digest).layers.map(\.digest) }

    func layer(_ blob: Digest) throws -> LayerBlob { try LayerBlob(decoding: Zstandard.decompress(chunks.blobs.read(blob), limit: 1 << 31)) }

    // MARK: writing

    /// Makes an image of a parent's chunks, if there is one, and those that `fill` adds; durable when it returns. The same content gives the same digest.
    ///
    /// - Parameters:
    ///   - level: of zstd: 3 for builds, 1 where it must be quick.
    ///   - fill: gives chunks; one that is as in the parent is left out of the layer.
    public func write(_ draft: ImageDraft, level: Int32 = 3, _ fill: (LayerWriter) throws -> Void) throws -> Image {
        guard draft.virtualBytes >= draft.parent?.virtualBytes ?? 0 else {
            throw ImageError(
                "invalid", "a disk of \(draft.virtualBytes) bytes cannot follow one of \(draft.parent?.virtualBytes ?? 0)", fix: "a disk can grow, not shrink")
        }
        try makeRoom()
        let writer = try ChunkWriter(chunks, level: level)
        try fill(LayerWriter(writer, diskBytes: draft.virtualBytes))
        let came = try writer.drain()
        let parentMap = try draft.parent.map { try map(of: $0) }
        var numbers = try chunks.numbers(of: Set(came.compactMap(\.digest)))
        // What was written and is as before, told by its number instead of a look at the old bytes.
        let added = try came.filter { chunk in
            guard let parentMap else { return true }
            let before = try parentMap.number(at: chunk.index)
            guard let digest = chunk.digest else { return before != 0 }
            return numbers[digest].map { $0 != before } ?? true
        }

        var diffIDs = draft.parent?.layers ?? []
        var descriptors = try draft.parent.map { try self.manifest(of: $0.digest).layers } ?? []
        var blobs: [[UInt8]] = []
        if !added.isEmpty {
            let plain = LayerBlob(diskBytes: draft.virtualBytes, chunks: added).encoded()
            let blob = try Zstandard.compress(plain, level: 3)
            diffIDs.append(Digest.of(plain))
            descriptors.append(OCIDescriptor(mediaType: OCIManifest.layerType, digest: Digest.of(blob), size: Int64(blob.count)))
            blobs.append(blob)
        }
        let config = try ImageConfig(draft, layers: diffIDs)
        let configBytes = try ImageConfig.canonical(config)
        let digest = Digest.of(configBytes)
        let image = try config.image(digest)
        let manifest = OCIManifest(
            config: OCIDescriptor(mediaType: OCIManifest.configType, digest: digest, size: Int64(configBytes.count)), layers: descriptors,
            annotations: draft.made?.annotations)
        let manifestBytes = try ImageConfig.canonical(manifest)
        blobs += [configBytes, manifestBytes]
        let origin = try draft.foreignOrigin ?? draft.parent.flatMap { try foreignOrigin(of: $0.digest) }
        if let origin { try markForeign(digest, from: origin) }
        try writer.commit(blobs) { database in
            try database.execute(
                sql: "INSERT OR IGNORE INTO images (digest, manifest) VALUES (?, ?)", arguments: [Data(digest.bytes), Data(Digest.of(manifestBytes).bytes)])
            if database.changesCount > 0 { try ImageSummary(image, changedChunks: added.count, layerBytes: manifest.layerBytes).save(database) }
        }

        // Of the same bytes as one that came from elsewhere: what we make ourselves is not foreign.
        if origin == nil, isForeign(digest) { try trust(digest) }

        let new = Set(added.compactMap(\.digest)).subtracting(numbers.keys)
        try numbers.merge(chunks.numbers(of: new)) { $1 }
        let changes = try added.map { chunk in
            guard let digest = chunk.digest else { return (index: chunk.index, number: UInt32(0)) }
            guard let number = numbers[digest] else { throw ImageError("internal", "chunk \(digest) was written and is not known") }
            return (index: chunk.index, number: number)
        }
        let lock = try maps.lock()
        if try maps.open(digest) == nil { try maps.write(digest, count: Self.places(draft.virtualBytes), parent: parentMap, changes) }
        withExtendedLifetime(lock) {}
        try hold(image)
        // Until here nothing that this image counts on could be removed.
        withExtendedLifetime(writer) {}
        return image
    }

    /// Keeps `gc` from an image that this process made or found, and has perhaps not named yet.
    func hold(_ image: Image) throws {
        let map = try map(of: image)
        held.withLock { held in
            // Whoever makes more than these has named the first long ago.
            if held.count >= 64 { held.removeFirst() }
            held.append(map.file)
        }
    }
}
