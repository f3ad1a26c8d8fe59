import ChunkStore
import Foundation

/// What is said about an image and is no part of it: a manifest that names the image's as its subject, and a blob. Signatures and provenance are such.
///
/// They are entries of `index.json` without a name, with the annotation `dev.terrine.subject`, and go with their image.
package struct Attachment: Sendable {
    /// Of the blob.
    package let mediaType: String
    package let artifactType: String
    package let content: [UInt8]

    package init(mediaType: String, artifactType: String, content: [UInt8]) {
        (self.mediaType, self.artifactType, self.content) = (mediaType, artifactType, content)
    }

    /// The manifest for the subject that is given.
    package func manifest(subject: OCIDescriptor) -> OCIManifest {
        let empty = OCIDescriptor(mediaType: "application/vnd.oci.empty.v1+json", digest: Digest.of(Self.empty), size: Int64(Self.empty.count))
        var manifest = OCIManifest(
            config: empty, layers: [OCIDescriptor(mediaType: mediaType, digest: Digest.of(content), size: Int64(content.count))])
        (manifest.artifactType, manifest.subject) = (artifactType, subject)
        return manifest
    }

    /// The config of what is no image.
    package static let empty = Array("{}".utf8)
}

extension ImageStore {
    /// Attaches something to an image, durably; does nothing when it has it already.
    package func attach(_ attachment: Attachment, to image: Digest) throws {
        let lock = try rootsLock()
        defer { withExtendedLifetime(lock) {} }
        let subject = try manifestDigest(image)
        let descriptor = OCIDescriptor(mediaType: OCIManifest.mediaType, digest: subject, size: chunks.blobs.size(of: subject) ?? 0)
        let bytes = try ImageConfig.canonical(attachment.manifest(subject: descriptor))
        for blob in [Attachment.empty, attachment.content, bytes] { try chunks.blobs.write(blob) }
        let digest = Digest.of(bytes)
        try changeIndex { index in
            if index.manifests.contains(where: { $0.digest == digest }) { return }
            index.manifests.append(
                OCIDescriptor(
                    mediaType: OCIManifest.mediaType, digest: digest, size: Int64(bytes.count), annotations: [OCIIndex.subjectKey: image.description],
                    artifactType: attachment.artifactType))
        }
    }

    /// What is attached to an image.
    package func attachments(of image: Digest) throws -> [Attachment] {
        try readIndex().manifests.filter { $0.annotations?[OCIIndex.subjectKey] == image.description }.compactMap { entry in
            let manifest = try JSONDecoder().decode(OCIManifest.self, from: Data(chunks.blobs.read(entry.digest)))
            guard let blob = manifest.layers.first else { return nil }
            return Attachment(mediaType: blob.mediaType, artifactType: manifest.artifactType ?? "", content: try chunks.blobs.read(blob.digest))
        }
    }

    /// Takes away what is attached to images that are gone.
    func dropAttachments(keeping images: Set<Digest>) throws {
        let isStale = { (entry: OCIDescriptor) in
            guard let subject = entry.annotations?[OCIIndex.subjectKey] else { return false }
            return Digest(subject).map { !images.contains($0) } ?? true
        }
        if try readIndex().manifests.contains(where: isStale) { try changeIndex { $0.manifests.removeAll(where: isStale) } }
    }
}
