import ChunkStore

/// Reads an image from an archive as `docker save` makes it: `manifest.json`, a config, and an archive for each layer.
///
/// Source: https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md, "Combined Image JSON + Filesystem Changeset Format".
struct DockerArchiveReader {
    let files: any ArchiveFiles
    let limits: ArchiveLimits

    /// - Parameter reference: which image, when there are several: one of its tags.
    func read(_ reference: String?) throws -> ContainerImage {
        let entries = try JSONDocument.decode(
            [DockerManifestEntry].self, files.document("manifest.json", limit: limits.documentBytes), "\(files.name): `manifest.json`")
        let entry = try choose(entries, reference)
        let bytes = try files.document(entry.Config, limit: limits.documentBytes)
        // Its name is its digest, in all archives of the last ten years.
        let stem = entry.Config.split(separator: "/").last?.split(separator: ".").first.map(String.init) ?? ""
        if let expected = Digest(stem), expected != Digest.of(bytes) {
            throw ArchiveError("damaged", "\(files.name): the config `\(entry.Config)` is not what its name says", fix: "fetch or make it again")
        }
        let config = try JSONDocument.decode(OCIImageConfig.self, bytes, "\(files.name): the config `\(entry.Config)`")
        let layers = try entry.Layers.map { path in
            guard let span = try files.file(path) else {
                throw ArchiveError(
                    "damaged", "\(files.name) has no layer `\(path.prefix(200))`, which its manifest names", fix: "it is incomplete: fetch or make it again")
            }
            return ContainerImage.Layer(blob: span, name: "\(files.name): the layer `\(path)`")
        }
        return try ContainerImage(name: files.name, config: config, layers: layers, reference: entry.RepoTags?.first, limits: limits)
    }

    private func choose(_ entries: [DockerManifestEntry], _ reference: String?) throws -> DockerManifestEntry {
        let tags = entries.flatMap { $0.RepoTags ?? [] }
        if let reference {
            guard let found = entries.first(where: { $0.RepoTags?.contains(reference) ?? false }) else {
                throw ArchiveError("notFound", "\(files.name) has no image `\(reference)`", fix: "it has: \(tags.joined(separator: ", "))")
            }
            return found
        }
        guard entries.count == 1 else {
            throw ArchiveError(
                "ambiguous", "\(files.name) has \(entries.count) images",
                fix: entries.isEmpty ? "it is empty: make it again" : "say which with --reference: \(tags.joined(separator: ", "))")
        }
        return entries[0]
    }
}
