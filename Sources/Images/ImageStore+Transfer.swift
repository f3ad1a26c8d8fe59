import ChunkStore
import Foundation
import GRDB

/// What another store needs of an image beside its chunks.
package struct ImageParts: Sendable {
    /// The config's bytes; their digest is the image's.
    package let config: [UInt8]
    /// The layers' blobs, oldest first.
    package let layers: [OCIDescriptor]
    /// The chunks that each layer has and none below it, in the layer's order.
    package let chunks: [[Digest]]
    /// Of the manifest: who made it, and when.
    package let annotations: [String: String]
}

/// An image that comes from elsewhere: looked at, and not in the store yet.
package struct IncomingImage: Sendable {
    package let image: Image
    fileprivate let config: [UInt8]
    fileprivate let layers: [[UInt8]]
    fileprivate let contents: [[Digest]]
    fileprivate let lastLayerChunks: Int
    fileprivate let made: MakerNote

    /// The most that a layer may have when it is decompressed: the map of half a terabyte.
    private static let layerLimit = 288 << 20
    /// Bytes of the largest disk that is taken in: a map of more takes gigabytes of memory to read, whatever is on the disk.
    private static let diskLimit: Int64 = 4 << 40

    /// - Parameters:
    ///   - config: the bytes of its config.
    ///   - layers: the blobs of its layers, oldest first.
    ///   - annotations: of its manifest, of which only who made it is kept.
    /// - Throws: ``ImageError`` when they are not those of an image of ours that fits together.
    package init(config: [UInt8], layers: [[UInt8]], annotations: [String: String] = [:]) throws {
        image = try Self.image(config)
        guard layers.count == image.layers.count else {
            throw ImageError("corrupt", "the image \(image.digest) comes with \(layers.count) layers instead of \(image.layers.count)")
        }
        guard image.virtualBytes <= Self.diskLimit else { throw ImageError("unsupported", "the disk of \(image.digest) has more than 4 TiB") }
        var contents: [[Digest]] = []
        var last = 0
        for (blob, diffID) in zip(layers, image.layers) {
            let plain = try Zstandard.decompress(blob, limit: Self.layerLimit)
            guard Digest.of(plain) == diffID else { throw ImageError("corrupt", "a layer of \(image.digest) is not \(diffID)") }
            guard plain.count < 24 || Int64(bitPattern: plain.read64(16)) <= image.virtualBytes else {
                throw ImageError("corrupt", "a layer of \(image.digest) is for a larger disk")
            }
            let layer = try LayerBlob(decoding: plain)
            contents.append(layer.chunks.compactMap(\.digest))
            last = layer.chunks.count
        }
        (self.config, self.layers, self.contents, lastLayerChunks, made) = (config, layers, contents, last, MakerNote(annotations))
    }

    /// What a config says.
    package static func image(_ config: [UInt8]) throws -> Image {
        do { return try JSONDecoder().decode(ImageConfig.self, from: Data(config)).image(Digest.of(config)) } catch let error as DecodingError {
            throw ImageError("unsupported", "the image \(Digest.of(config)) was not made by terrine", cause: "\(error)")
        }
    }

    /// All its chunks.
    package var chunks: Set<Digest> { contents.reduce(into: []) { $0.formUnion($1) } }

    /// The layers, by their place, that have a chunk of `missing` which none below them has.
    package func layers(with missing: Set<Digest>) -> Set<Int> {
        var left = missing
        var found: Set<Int> = []
        for (index, chunks) in contents.enumerated() { for chunk in chunks where left.remove(chunk) != nil { found.insert(index) } }
        return found
    }
}

extension ImageStore {
    /// For a store that does not have the image.
    package func parts(of image: Image) throws -> ImageParts {
        let manifest = try manifest(of: image.digest)
        var known: Set<Digest> = []
        let chunks = try manifest.layers.map { try layer($0.digest).chunks.compactMap(\.digest).filter { known.insert($0).inserted } }
        return ImageParts(config: try self.chunks.blobs.read(image.digest), layers: manifest.layers, chunks: chunks, annotations: manifest.annotations ?? [:])
    }

    /// Whether the image is here, with all that it needs.
    package func has(_ image: Digest) throws -> Bool {
        guard chunks.blobs.contains(image) else { return false }
        do { try hold(self.image(image)) } catch is ImageError { return false } catch is StoreError { return false }
        return true
    }

    /// Takes an image in, whose chunks have all been given to `frames` or were here; durable when it returns.
    ///
    /// - Throws: ``ImageError`` `incomplete` when a chunk is missing; what came stays until `gc`.
    package func adopt(_ incoming: IncomingImage, _ frames: FrameImport) throws -> Image {
        let image = incoming.image
        let descriptors = incoming.layers.map { OCIDescriptor(mediaType: OCIManifest.layerType, digest: Digest.of($0), size: Int64($0.count)) }
        let manifest = OCIManifest(
            config: OCIDescriptor(mediaType: OCIManifest.configType, digest: image.digest, size: Int64(incoming.config.count)), layers: descriptors,
            annotations: incoming.made.annotations.isEmpty ? nil : incoming.made.annotations)
        let bytes = try ImageConfig.canonical(manifest)
        // The chunks first: an image's row is only written when they are there.
        try frames.commit([]) { _ in }
        let needed = incoming.chunks
        let known = try chunks.numbers(of: needed)
        if let missing = needed.first(where: { known[$0] == nil }) {
            throw ImageError("incomplete", "the image \(image.digest) did not come whole", cause: "its chunk \(missing) is in none of its packs")
        }
        try frames.commit(incoming.layers + [incoming.config, bytes]) { database in
            try database.execute(
                sql: "INSERT OR IGNORE INTO images (digest, manifest) VALUES (?, ?)", arguments: [Data(image.digest.bytes), Data(Digest.of(bytes).bytes)])
            if database.changesCount > 0 {
                try ImageSummary(image, changedChunks: incoming.lastLayerChunks, layerBytes: manifest.layerBytes).save(database)
            }
        }
        try hold(image)
        withExtendedLifetime(frames) {}
        return image
    }
}
