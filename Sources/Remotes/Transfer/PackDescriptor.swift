import ChunkStore
import Images

/// A pack as a manifest names it.
struct PackDescriptor: Codable, Hashable, Sendable {
    private static let layerKey = "dev.terrine.layer"
    private static let chainKey = "dev.terrine.chain"
    private static let tailKey = "dev.terrine.pack.tail"
    private static let tailDigestKey = "dev.terrine.pack.tail-digest"

    var digest: Digest
    var bytes: Int64
    /// What follows its frames.
    var tailBytes: Int64
    var tailDigest: Digest

    init(_ pack: OutgoingPack) { (digest, bytes, tailBytes, tailDigest) = (pack.digest, pack.bytes, Int64(pack.tail.count), Digest.of(pack.tail)) }

    /// - Parameters:
    ///   - layer: whose chunks it has, by its place.
    ///   - chain: what stands for that layer and all below it.
    func descriptor(layer: Int, chain: Digest) -> OCIDescriptor {
        OCIDescriptor(
            mediaType: MediaType.pack, digest: digest, size: bytes,
            annotations: [
                Self.layerKey: String(layer), Self.chainKey: chain.description, Self.tailKey: String(tailBytes),
                Self.tailDigestKey: tailDigest.description,
            ])
    }

    /// Nil for what is no pack.
    ///
    /// - Throws: ``RemoteError`` `corrupt` for one that does not say what it must.
    static func read(_ descriptor: OCIDescriptor) throws -> (layer: Int, pack: PackDescriptor)? {
        guard descriptor.mediaType == MediaType.pack else { return nil }
        let annotations = descriptor.annotations ?? [:]
        guard let layer = annotations[layerKey].flatMap({ Int($0) }), let tail = annotations[tailKey].flatMap({ Int64($0) }),
            let digest = annotations[tailDigestKey].flatMap({ Digest($0) }), (1...(64 << 20)).contains(tail), tail <= descriptor.size
        else { throw RemoteError("corrupt", "the manifest's entry of the pack \(descriptor.digest) does not say what is in it", fix: "push the image anew") }
        return (layer, PackDescriptor(digest: descriptor.digest, bytes: descriptor.size, tailBytes: tail, tailDigest: digest))
    }

    /// The packs of a manifest's layers, by their chains.
    static func all(of manifest: OCIManifest) throws -> [String: [PackDescriptor]] {
        var found: [String: [PackDescriptor]] = [:]
        for descriptor in manifest.layers {
            guard let chain = descriptor.annotations?[chainKey].flatMap({ Digest($0) }), let pack = try read(descriptor)?.pack else { continue }
            found[chain.hex, default: []].append(pack)
        }
        return found
    }

    private init(digest: Digest, bytes: Int64, tailBytes: Int64, tailDigest: Digest) {
        (self.digest, self.bytes, self.tailBytes, self.tailDigest) = (digest, bytes, tailBytes, tailDigest)
    }

    /// What stands for a layer and all below it: a pack of a layer has the chunks that those do not have.
    static func chains(_ layers: [Digest]) -> [Digest] {
        var text = ""
        return layers.map { layer in
            text += layer.hex + "\n"
            return Digest.of(Array(text.utf8))
        }
    }
}
