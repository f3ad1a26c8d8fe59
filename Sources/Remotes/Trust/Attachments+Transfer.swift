import ChunkStore
import Foundation
import Images

extension RegistryClient {
    /// The most that is said about an image.
    private static let limit: Int64 = 4 << 20

    /// Writes what is attached to an image beside its manifest.
    func put(_ attachments: [Attachment], about manifest: [UInt8]) throws {
        let subject = OCIDescriptor(mediaType: OCIManifest.mediaType, digest: Digest.of(manifest), size: Int64(manifest.count))
        for attachment in attachments {
            for blob in [Attachment.empty, attachment.content] {
                if try !has(Digest.of(blob)) { try upload(BytesBlob(blob)) }
            }
            try put(referrer: ImageConfig.canonical(attachment.manifest(subject: subject)), type: attachment.artifactType, of: subject.digest)
        }
    }

    /// What is attached to an image there, as far as terrine knows such things.
    func attachments(of manifest: Digest) throws -> [Attachment] {
        try referrers(of: manifest).compactMap { entry in
            guard let (bytes, _) = try self.manifest(entry.digest.description),
                // Another program's.
                let read = try? JSONDecoder().decode(OCIManifest.self, from: Data(bytes)),
                let type = read.artifactType, type.hasPrefix("application/vnd.terrine."), let blob = read.layers.first, (0...Self.limit).contains(blob.size)
            else { return nil }
            return Attachment(mediaType: blob.mediaType, artifactType: type, content: try self.blob(blob.digest, bytes: blob.size))
        }
    }
}
