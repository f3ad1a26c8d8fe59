import ChunkStore
import Trees

/// Makes the files of an image that `podman run`, `docker load` and `skopeo` take: a config and one layer with everything. The same tree gives the same bytes.
public struct ContainerWriter {
    private let files: UnnamedFiles

    /// - Parameter files: where the layer is until it is written.
    public init(files: UnnamedFiles) { self.files = files }

    /// An image as a tree of files: to be written to a folder or an archive.
    public struct Output {
        public var tree: FileTree
        /// Of the config, which is what docker calls the image's id.
        public var id: Digest
        /// Sockets, which no archive holds.
        public var leftOut: [ByteString]
    }

    /// An OCI image layout, with the layer compressed by gzip, which every reader knows.
    ///
    /// - Parameter reference: its name in the index.
    public func oci(_ tree: FileTree, _ config: ContainerConfig, reference: String?) throws -> Output {
        let layer = try write(tree, compressed: true)
        let configBytes = try JSONDocument.encode(OCIImageConfig(config, layers: [layer.plain.description]))
        let id = Digest.of(configBytes)
        let manifest = try JSONDocument.encode(
            OCIImageManifest(
                mediaType: "application/vnd.oci.image.manifest.v1+json",
                config: OCIBlobDescriptor(mediaType: "application/vnd.oci.image.config.v1+json", digest: id.description, size: Int64(configBytes.count)),
                layers: [
                    OCIBlobDescriptor(mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: layer.blob.description, size: layer.span.size)
                ]))
        let descriptor = OCIBlobDescriptor(
            mediaType: "application/vnd.oci.image.manifest.v1+json", digest: Digest.of(manifest).description, size: Int64(manifest.count),
            annotations: reference.map { [OCIImageIndex.referenceKey: $0] }, platform: .init(architecture: config.architecture, os: "linux"))
        let index = try JSONDocument.encode(OCIImageIndex(mediaType: "application/vnd.oci.image.index.v1+json", manifests: [descriptor]))
        let blobs: [(Digest, any FileContent)] = [
            (layer.blob, TarContent(layer.span)), (id, BytesContent(configBytes)), (Digest.of(manifest), BytesContent(manifest)),
        ]
        let sha256 = FileFolder(Dictionary(blobs.map { (ByteString($0.0.hex), Self.file($0.1)) }) { $1 })
        let output = FileTree(
            root: Self.folder([
                "blobs": Self.folder(["sha256": FileNode(.folder(sha256), mode: 0o755)]), "index.json": Self.file(BytesContent(index)),
                "oci-layout": Self.file(BytesContent(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))),
            ]))
        return Output(tree: output, id: id, leftOut: layer.leftOut)
    }

    /// The files of an archive as `docker save` makes it.
    ///
    /// - Parameter tag: `name:tag`; nil for an image without a name.
    public func docker(_ tree: FileTree, _ config: ContainerConfig, tag: String?) throws -> Output {
        let layer = try write(tree, compressed: false)
        let configBytes = try JSONDocument.encode(OCIImageConfig(config, layers: [layer.plain.description]))
        let id = Digest.of(configBytes)
        let manifest = try JSONDocument.encode([
            DockerManifestEntry(Config: id.hex + ".json", RepoTags: tag.map { [$0] }, Layers: [layer.plain.hex + ".tar"])
        ])
        let output = FileTree(
            root: Self.folder([
                ByteString(id.hex + ".json"): Self.file(BytesContent(configBytes)), ByteString(layer.plain.hex + ".tar"): Self.file(TarContent(layer.span)),
                "manifest.json": Self.file(BytesContent(manifest)),
            ]))
        return Output(tree: output, id: id, leftOut: layer.leftOut)
    }

    private static func file(_ content: any FileContent) -> FileNode { FileNode(.file(content), mode: 0o644) }
    private static func folder(_ children: [ByteString: FileNode]) -> FileNode { FileNode(.folder(FileFolder(children)), mode: 0o755) }

    private struct WrittenLayer {
        var span: FileSpan
        var plain: Digest
        var blob: Digest
        var leftOut: [ByteString]
    }

    private func write(_ tree: FileTree, compressed: Bool) throws -> WrittenLayer {
        let file = try files.make()
        let blob = DigestSink(FileSink(file))
        let plain = DigestSink(compressed ? try GzipSink(blob) : blob)
        var writer = TarWriter(plain)
        try writer.write(tree)
        return WrittenLayer(span: try FileSpan(file), plain: plain.digest, blob: blob.digest, leftOut: writer.leftOut)
    }
}
