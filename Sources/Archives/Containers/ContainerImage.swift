import ChunkStore
import Trees

/// An image of a container as an archive has it: a config, and layers that have not been looked into.
struct ContainerImage {
    struct Layer {
        var blob: FileSpan
        /// For errors.
        var name: String
    }

    private let config: OCIImageConfig
    private let layers: [Layer]
    /// Of the plain layers.
    private let digests: [Digest]
    let reference: String?

    /// - Throws: ``ArchiveError`` when config and layers do not fit each other.
    init(name: String, config: OCIImageConfig, layers: [Layer], reference: String?, limits: ArchiveLimits) throws {
        guard layers.count <= limits.layers else {
            throw ArchiveError("tooLarge", "\(name) has \(layers.count) layers; at most \(limits.layers) are read", fix: "look at where it comes from")
        }
        if let os = config.os, !os.isEmpty, os != "linux" {
            throw ArchiveError("unsupported", "\(name) is an image for \(os.prefix(64)), not for Linux", fix: "fetch the image for Linux")
        }
        if let architecture = config.architecture, !architecture.isEmpty, architecture != ContainerConfig.thisArchitecture {
            throw ArchiveError(
                "unsupported", "\(name) is an image for \(architecture.prefix(64)), and this host is \(ContainerConfig.thisArchitecture)",
                fix: "fetch the image of this architecture")
        }
        guard config.rootfs.diff_ids.count == layers.count else {
            throw ArchiveError(
                "damaged", "\(name): the config tells of \(config.rootfs.diff_ids.count) layers, and there are \(layers.count)", fix: "fetch or make it again")
        }
        digests = try config.rootfs.diff_ids.map { text in
            guard text.hasPrefix("sha256:"), let digest = Digest(text) else {
                throw ArchiveError(
                    "damaged", "\(name): the config names a layer `\(text.prefix(200))`", cause: "that is not `sha256:` and 64 digits", fix: "make it again")
            }
            return digest
        }
        (self.config, self.layers, self.reference) = (config, layers, reference)
    }

    var container: ContainerConfig { config.container }

    /// All layers, one over the other.
    func tree(_ allowance: ArchiveAllowance, _ files: UnnamedFiles) throws -> FileTree {
        let stack = LayerStack(limits: allowance.limits)
        for (layer, digest) in zip(layers, digests) {
            let plain = try layer.blob.plain(archive: layer.name, allowance: allowance, files: files)
            guard plain.digest == digest else {
                throw ArchiveError(
                    "damaged", "\(layer.name) is not the one that the config names",
                    cause: "its plain bytes have the digest \(plain.digest) instead of \(digest)",
                    fix: "fetch or make it again")
            }
            try stack.apply(TarReader(plain.span, archive: layer.name, allowance: allowance), archive: layer.name, whiteouts: true)
        }
        return stack.tree
    }
}
