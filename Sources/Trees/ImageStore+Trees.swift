import ChunkStore
import Images

extension ImageStore {
    private func key(_ image: Image) -> String { "tree \(TreeDigest.version) \(image.digest.hex)" }

    /// The image with its tree digest in its config: itself, one that was made of it before, or a new one.
    ///
    /// - Throws: ``TreeError`` for a disk that is no ext4 file system in order.
    public func recordingTreeDigest(of image: Image) throws -> Image {
        if image.treeDigest != nil { return image }
        if let known = try cached(key(image)), known.layers == image.layers { return known }
        let labelled = try labelled(image, treeDigest: TreeDigest.of(image.tree(in: self).canonical()))
        try cache(key(image), image: labelled, recipe: "", step: "tree digest", record: [:])
        return labelled
    }

    /// Of an image's files: what is recorded, or what reading all of it gives.
    public func treeDigest(of image: Image) throws -> Digest {
        if let known = try (image.treeDigest ?? cached(key(image))?.treeDigest).flatMap({ Digest($0) }) { return known }
        return try TreeDigest.of(image.tree(in: self).canonical())
    }
}
