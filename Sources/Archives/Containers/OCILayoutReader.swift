import ChunkStore
import Foundation

/// Reads an image from an OCI image layout: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
///
/// Every blob is checked against the digest and the size by which it is named, before anything of it is used.
struct OCILayoutReader {
    let files: any ArchiveFiles
    let limits: ArchiveLimits

    /// - Parameter reference: which image, when there are several: its name in the index.
    func read(_ reference: String?) throws -> ContainerImage {
        let index = try JSONDocument.decode(
            OCIImageIndex.self, files.document("index.json", limit: limits.documentBytes), "\(files.name): `index.json`")
        let chosen = try choose(index, reference)
        let descriptor = try manifest(chosen)
        let manifest = try JSONDocument.decode(OCIImageManifest.self, document(descriptor), "\(files.name): the manifest \(descriptor.digest)")
        guard OCIImageManifest.configTypes.contains(manifest.config.mediaType) else {
            throw unsupported("the config of the image", manifest.config.mediaType)
        }
        let config = try JSONDocument.decode(OCIImageConfig.self, document(manifest.config), "\(files.name): the config \(manifest.config.digest)")
        for layer in manifest.layers where !OCIImageManifest.layerTypes.contains(layer.mediaType) { throw unsupported("a layer", layer.mediaType) }
        let layers = try manifest.layers.map { ContainerImage.Layer(blob: try blob($0), name: "\(files.name): the layer \($0.digest)") }
        return try ContainerImage(
            name: files.name, config: config, layers: layers, reference: chosen.annotations?[OCIImageIndex.referenceKey], limits: limits)
    }

    // MARK: Which image

    private func choose(_ index: OCIImageIndex, _ reference: String?) throws -> OCIBlobDescriptor {
        func name(_ descriptor: OCIBlobDescriptor) -> String? { descriptor.annotations?[OCIImageIndex.referenceKey] }
        let names = index.manifests.compactMap(name)
        guard let reference else {
            let candidates = index.manifests.count > 1 ? index.manifests.filter(isForThisHost) : index.manifests
            if candidates.count == 1 { return candidates[0] }
            throw ArchiveError(
                "ambiguous", "\(files.name) has \(index.manifests.count) images",
                fix: index.manifests.isEmpty ? "it is empty: make it again" : "say which with --reference: \(names.joined(separator: ", "))")
        }
        let found = index.manifests.filter { name($0) == reference || $0.digest == reference }
        guard let first = found.first(where: isForThisHost) ?? found.first else {
            throw ArchiveError("notFound", "\(files.name) has no image `\(reference)`", fix: "it has: \(names.joined(separator: ", "))")
        }
        return first
    }

    private func isForThisHost(_ descriptor: OCIBlobDescriptor) -> Bool {
        guard let platform = descriptor.platform else { return true }
        return platform.os == "linux" && platform.architecture == ContainerConfig.thisArchitecture
    }

    /// Through indexes of platforms, of which real ones have one.
    private func manifest(_ descriptor: OCIBlobDescriptor) throws -> OCIBlobDescriptor {
        var descriptor = descriptor
        for _ in 0..<4 {
            if OCIImageManifest.mediaTypes.contains(descriptor.mediaType) { return descriptor }
            guard OCIImageIndex.mediaTypes.contains(descriptor.mediaType) else { throw unsupported("the image", descriptor.mediaType) }
            let index = try JSONDocument.decode(OCIImageIndex.self, document(descriptor), "\(files.name): the index \(descriptor.digest)")
            guard let next = index.manifests.first(where: isForThisHost) else {
                throw ArchiveError(
                    "unsupported", "\(files.name) has no image for linux/\(ContainerConfig.thisArchitecture)",
                    cause: "it has: " + index.manifests.compactMap { $0.platform.map { "\($0.os)/\($0.architecture)" } }.joined(separator: ", "),
                    fix: "fetch the image of this system and architecture")
            }
            descriptor = next
        }
        throw ArchiveError("hostile", "\(files.name): index leads to index without end", fix: "look at where it comes from")
    }

    private func unsupported(_ what: String, _ type: String) -> ArchiveError {
        if type.hasPrefix("application/vnd.terrine.") {
            return ArchiveError(
                "unsupported", "\(files.name) is a store of terrine's: its layers are disks, not archives",
                fix: "use it with --home, or `terrine export --format oci` from it")
        }
        return ArchiveError(
            "unsupported", "\(files.name): \(what) is of the type `\(type.prefix(200))`, which is not known",
            fix: "`skopeo copy` it to a layout of the usual types")
    }

    // MARK: Blobs

    private func document(_ descriptor: OCIBlobDescriptor) throws -> [UInt8] {
        try blob(descriptor).document("\(files.name): the blob \(descriptor.digest)", limit: limits.documentBytes)
    }

    private func blob(_ descriptor: OCIBlobDescriptor) throws -> FileSpan {
        guard descriptor.digest.hasPrefix("sha256:"), let digest = Digest(descriptor.digest) else {
            throw ArchiveError(
                "damaged", "\(files.name) names a blob `\(descriptor.digest.prefix(200))`", cause: "that is not `sha256:` and 64 digits", fix: "make it again")
        }
        guard let span = try files.file("blobs/sha256/\(digest.hex)") else {
            throw ArchiveError("damaged", "\(files.name) has no blob \(digest)", fix: "it is incomplete: fetch or make it again")
        }
        guard span.size == descriptor.size else {
            throw ArchiveError(
                "damaged", "\(files.name): the blob \(digest) has \(span.size) bytes instead of \(descriptor.size)", fix: "fetch or make it again")
        }
        let actual = try span.digest()
        guard actual == digest else {
            throw ArchiveError(
                "damaged", "\(files.name): the blob \(digest) is not what its name says", cause: "its bytes have the digest \(actual)",
                fix: "fetch or make it again")
        }
        return span
    }
}
