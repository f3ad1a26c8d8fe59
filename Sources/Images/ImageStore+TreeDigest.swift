import ChunkStore
import Foundation
import GRDB

extension ImageStore {
    /// The same image with the digest of its files in its config, so with another digest of its own; durable when it returns. Nothing of its layers is written.
    public func labelled(_ image: Image, treeDigest: Digest) throws -> Image {
        var config = try JSONDecoder().decode(ImageConfig.self, from: Data(chunks.blobs.read(image.digest)))
        config.config.Labels[ImageConfig.Label.treeDigest] = treeDigest.description
        let configBytes = try ImageConfig.canonical(config)
        let digest = Digest.of(configBytes)
        let labelled = try config.image(digest)
        var manifest = try manifest(of: image.digest)
        manifest.config = OCIDescriptor(mediaType: OCIManifest.configType, digest: digest, size: Int64(configBytes.count))
        let manifestBytes = try ImageConfig.canonical(manifest)
        if let origin = try foreignOrigin(of: image.digest) { try markForeign(digest, from: origin) }
        // Holds off `gc` until the new image stands.
        let writer = try ChunkWriter(chunks, level: 3)
        try writer.commit([configBytes, manifestBytes]) { database in
            try database.execute(
                sql: "INSERT OR IGNORE INTO images (digest, manifest) VALUES (?, ?)", arguments: [Data(digest.bytes), Data(Digest.of(manifestBytes).bytes)])
        }
        let parentMap = try map(of: image)
        let lock = try maps.lock()
        if try maps.open(digest) == nil { try maps.write(digest, count: parentMap.count, parent: parentMap, []) }
        withExtendedLifetime(lock) {}
        try hold(labelled)
        withExtendedLifetime(writer) {}
        return labelled
    }
}
