import ChunkStore
import Foundation
import GRDB
import Glibc
import Linux

/// What was mended.
public struct Repaired: Codable, Sendable {
    /// Configs, manifests and layers that came from the other store.
    public var blobs = 0
    /// Chunks that did.
    public var chunks = 0
    /// Chunks of machines' own writes that did.
    public var overlayChunks = 0
}

extension ImageStore {
    /// Opens the store at `path`: a home, or the folder of its store.
    public static func existing(at path: String) throws -> ImageStore {
        for store in [path + "/store", path] where access(store + "/oci-layout", F_OK) == 0 {
            return try ImageStore(home: path, path: store, limit: nil)
        }
        throw ImageError(
            "notFound", "\(path) is neither a home nor the folder of a store", fix: "give the folder with `store/oci-layout` or `oci-layout` in it")
    }

    /// Mends what it can: packs from what is left of them, and from `source`; layers, configs and manifests from there. Hurts nothing else.
    ///
    /// ``verify(_:)`` tells what is still wrong.
    public func repair(from source: ImageStore?) throws -> Repaired {
        let locks = (try FileLock(path + "/gc.lock"), try chunks.writerLock())
        defer { withExtendedLifetime(locks) {} }
        var result = Repaired()
        func mend(_ digest: Digest) throws {
            do { _ = try chunks.blobs.read(digest) } catch is StoreError {
                // As damaged there, or not there: it stays as it is.
                guard let source, let bytes = try? source.chunks.blobs.read(digest) else { return }
                try chunks.blobs.replace(digest, with: bytes)
                result.blobs += 1
            }
        }
        var needed: Set<Digest> = []
        let all = Set(try allImages())
        for image in all.union(try roots().named) {
            try mend(image)
            guard let manifest = try mendManifest(image, isKnown: all.contains(image), source, mend) else { continue }
            for layer in manifest.layers {
                try mend(layer.digest)
                // What is still damaged needs what it can no longer say.
                if let content = try? self.layer(layer.digest) { needed.formUnion(content.chunks.compactMap(\.digest)) }
            }
        }
        result.chunks = try chunks.repair(from: source?.chunks, needed: needed)
        return result
    }

    /// The image's manifest, if it can be had, with a row that leads to it.
    private func mendManifest(_ image: Digest, isKnown: Bool, _ source: ImageStore?, _ mend: (Digest) throws -> Void) throws -> OCIManifest? {
        // The name of an image that the index does not know says where its manifest is; the other store may know too.
        var candidates = isKnown ? [try manifestDigest(image)] : []
        candidates += try readIndex().manifests.filter { $0.annotations?[OCIIndex.imageKey] == image.description }.map(\.digest)
        if let other = try? source?.manifestDigest(image) { candidates.append(other) }  // It may not have the image.
        for digest in candidates {
            try mend(digest)
            // Not this one, then.
            guard let bytes = try? chunks.blobs.read(digest), let manifest = try? JSONDecoder().decode(OCIManifest.self, from: Data(bytes)),
                manifest.config.digest == image
            else { continue }
            if !isKnown || digest != candidates[0] {
                try chunks.index.write {
                    try $0.execute(
                        sql: "INSERT OR REPLACE INTO images (digest, manifest) VALUES (?, ?)", arguments: [Data(image.bytes), Data(digest.bytes)])
                }
            }
            return manifest
        }
        return nil
    }
}
