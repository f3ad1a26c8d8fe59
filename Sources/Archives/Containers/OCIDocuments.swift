import ChunkStore
import Foundation

/// A reference to a blob: https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md
struct OCIBlobDescriptor: Codable {
    struct Platform: Codable {
        var architecture: String
        var os: String
    }

    var mediaType: String
    var digest: String
    var size: Int64
    var annotations: [String: String]?
    var platform: Platform?
}

/// https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md
struct OCIImageManifest: Codable {
    static let mediaTypes: Set = ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"]
    static let configTypes: Set = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"]
    static let layerTypes: Set = [
        "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ]

    var schemaVersion = 2
    var mediaType: String?
    var config: OCIBlobDescriptor
    var layers: [OCIBlobDescriptor]
}

/// https://github.com/opencontainers/image-spec/blob/v1.1.0/image-index.md
struct OCIImageIndex: Codable {
    static let mediaTypes: Set = ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"]
    static let referenceKey = "org.opencontainers.image.ref.name"

    var schemaVersion = 2
    var mediaType: String?
    var manifests: [OCIBlobDescriptor]
}

/// What docker's archives say of themselves, in `manifest.json`.
struct DockerManifestEntry: Codable {
    var Config: String
    var RepoTags: [String]?
    var Layers: [String]
}

enum JSONDocument {
    static func decode<T: Decodable>(_ type: T.Type, _ bytes: [UInt8], _ what: String) throws -> T {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch let error as DecodingError {
            throw ArchiveError("damaged", "\(what) is not what it should be", cause: explain(error), fix: "fetch or make it again")
        }
    }

    /// The same value always gives the same bytes.
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    private static func explain(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        return switch error {
        case .keyNotFound(let key, let context): "`\((path(context) + "." + key.stringValue).drop { $0 == "." })` is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context): "`\(path(context))` is of another type: \(context.debugDescription)"
        case .dataCorrupted(let context): context.codingPath.isEmpty ? "it is no JSON" : "`\(path(context))`: \(context.debugDescription)"
        @unknown default: "\(error)"
        }
    }
}
