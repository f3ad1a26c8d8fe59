import ChunkStore
import Images

extension ImageStore {
    private func key(_ image: Image) -> String { "tree \(TreeDigest.version) \(image.digest.hex)" }

    /// The image with its tree digest in its config: itself, one that was made of it before, or a new one.
    ///
    /// A disk with something else than an ext4 file system has no files that could be read, and its image stays as it is.
    /// - Throws: ``TreeError`` for an ext4 file system that is not in order.
    public func recordingTreeDigest(of image: Image) throws -> Image {
        if image.treeDigest != nil { return image }
        if let known = try cached(key(image)), known.layers == image.layers { return known }
        let tree: FileTree
        do { tree = try image.tree(in: self) } catch let error as TreeError where error.code == "notExt4" { return image }
        let labelled = try labelled(image, treeDigest: TreeDigest.of(tree.canonical()))
        try cache(key(image), image: labelled, recipe: "", step: "tree digest", record: [:])
        return labelled
    }

    /// Of an image's files: what is recorded, or what reading all of it gives.
    public func treeDigest(of image: Image) throws -> Digest {
        if let known = try (image.treeDigest ?? cached(key(image))?.treeDigest).flatMap({ Digest($0) }) { return known }
        return try TreeDigest.of(image.tree(in: self).canonical())
    }
}
