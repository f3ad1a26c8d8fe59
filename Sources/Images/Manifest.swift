import ChunkStore
import Foundation

/// OCI descriptors, manifests and the index: https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md, image-index.md
struct OCIDescriptor: Codable, Equatable {
    var mediaType: String
    var digest: Digest
    var size: Int64
    var annotations: [String: String]?
}

struct OCIManifest: Codable {
    static let mediaType = "application/vnd.oci.image.manifest.v1+json"
    static let artifactType = "application/vnd.terrine.image.v1"
    static let configType = "application/vnd.oci.image.config.v1+json"
    static let layerType = "application/vnd.terrine.layer.v1+zstd"

    var schemaVersion = 2
    var mediaType = OCIManifest.mediaType
    var artifactType: String? = OCIManifest.artifactType
    var config: OCIDescriptor
    var layers: [OCIDescriptor]
    var annotations: [String: String]?

    var layerBytes: Int64 { layers.reduce(0) { $0 + $1.size } }
}

struct OCIIndex: Codable {
    static let referenceKey = "org.opencontainers.image.ref.name"
    /// The image's own digest, which is that of its config.
    static let imageKey = "dev.terrine.image"
    /// Of a name that a checkpoint got as it was made: its machine.
    static let checkpointKey = "dev.terrine.checkpoint"
    /// Of a name: the first 16 digits of the SHA-256 of name, image and manifest, so that a flipped letter is found.
    static let checkKey = "dev.terrine.check"

    static func check(name: String, image: String, manifest: Digest) -> String {
        String(Digest.of(Array("\(name)\n\(image)\n\(manifest)".utf8)).hex.prefix(16))
    }

    var schemaVersion = 2
    var mediaType = "application/vnd.oci.image.index.v1+json"
    var manifests: [OCIDescriptor] = []

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
