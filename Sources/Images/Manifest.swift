import ChunkStore
import Foundation

/// OCI descriptors, manifests and the index: https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md, image-index.md
package struct OCIDescriptor: Codable, Equatable, Sendable {
    package var mediaType: String
    package var digest: Digest
    package var size: Int64
    package var annotations: [String: String]?
    package var artifactType: String?

    package init(mediaType: String, digest: Digest, size: Int64, annotations: [String: String]? = nil, artifactType: String? = nil) {
        (self.mediaType, self.digest, self.size, self.annotations, self.artifactType) = (mediaType, digest, size, annotations, artifactType)
    }
}

package struct OCIManifest: Codable, Sendable {
    package static let mediaType = "application/vnd.oci.image.manifest.v1+json"
    package static let artifactType = "application/vnd.terrine.image.v1"
    package static let configType = "application/vnd.oci.image.config.v1+json"
    package static let layerType = "application/vnd.terrine.layer.v1+zstd"

    package var schemaVersion = 2
    package var mediaType = OCIManifest.mediaType
    package var artifactType: String? = OCIManifest.artifactType
    package var config: OCIDescriptor
    package var layers: [OCIDescriptor]
    /// Of what speaks of another manifest.
    package var subject: OCIDescriptor?
    package var annotations: [String: String]?

    package init(config: OCIDescriptor, layers: [OCIDescriptor], annotations: [String: String]? = nil) {
        (self.config, self.layers, self.annotations) = (config, layers, annotations)
    }

    package var layerBytes: Int64 { layers.reduce(0) { $0 + $1.size } }
}

package struct OCIIndex: Codable, Sendable {
    static let referenceKey = "org.opencontainers.image.ref.name"
    /// The image's own digest, which is that of its config.
    static let imageKey = "dev.terrine.image"
    /// Of what is attached to an image: that image's digest.
    static let subjectKey = "dev.terrine.subject"
    /// Of a name that a checkpoint got as it was made: its machine.
    static let checkpointKey = "dev.terrine.checkpoint"
    /// Of a name: the first 16 digits of the SHA-256 of name, image and manifest, so that a flipped letter is found.
    static let checkKey = "dev.terrine.check"

    static func check(name: String, image: String, manifest: Digest) -> String {
        String(Digest.of(Array("\(name)\n\(image)\n\(manifest)".utf8)).hex.prefix(16))
    }

    package var schemaVersion = 2
    package var mediaType = "application/vnd.oci.image.index.v1+json"
    package var manifests: [OCIDescriptor] = []

    package init(manifests: [OCIDescriptor] = []) { self.manifests = manifests }

    /// The names alone, in half the time: each command reads them.
    struct Names: Decodable {
        var manifests: [Entry]

        struct Entry: Decodable { var annotations: Annotations? }
        struct Annotations: Decodable {
            var name: String?
            var image: String?

            enum CodingKeys: String, CodingKey {
                case name = "org.opencontainers.image.ref.name"
                case image = "dev.terrine.image"
            }
        }
    }
}
