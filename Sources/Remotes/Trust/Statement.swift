import ChunkStore
import Foundation
import Images

/// An in-toto statement about an image: https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md
///
/// Its subject is the image's own digest, that of its config: it stays true however the image is packed or wherever it is.
struct Statement<Predicate: Codable>: Codable {
    var type = "https://in-toto.io/Statement/v1"
    var subject: [Subject]
    var predicateType: String
    var predicate: Predicate

    enum CodingKeys: String, CodingKey {
        case type = "_type"
        case subject, predicateType, predicate
    }

    init(_ image: Digest, _ predicateType: String, _ predicate: Predicate) {
        subject = [Subject(name: "image", digest: ["sha256": image.hex])]
        (self.predicateType, self.predicate) = (predicateType, predicate)
    }
}

struct Subject: Codable {
    var name: String
    var digest: [String: String]
}

/// What every statement says, whatever else.
struct StatementHead: Decodable {
    var subject: [Subject]
    var predicateType: String

    func speaks(of image: Digest) -> Bool { subject.contains { $0.digest["sha256"] == image.hex } }
}

/// Says no more than that the key's owner vouches for the image.
struct Vouching: Codable {
    static let type = "https://terrine.dev/vouching/v1"
    /// The image's, if it has one.
    var treeDigest: String?
}

/// Who made an image from what: https://slsa.dev/spec/v1.0/provenance
public struct Provenance: Codable, Sendable {
    static let type = "https://slsa.dev/provenance/v1"

    public struct Material: Codable, Sendable, Equatable {
        public var name: String
        public var digest: [String: String]

        public init(name: String, digest: [String: String]) { (self.name, self.digest) = (name, digest) }
    }
    public struct Step: Codable, Sendable, Equatable {
        public var name: String
        public var key: String

        public init(name: String, key: String) { (self.name, self.key) = (name, key) }
    }
    struct Definition: Codable, Sendable {
        var buildType: String
        var externalParameters: External
        var internalParameters: Internal
        var resolvedDependencies: [Material]
    }
    struct External: Codable, Sendable {
        var recipe: Material
    }
    struct Internal: Codable, Sendable {
        var steps: [Step]
    }
    struct Run: Codable, Sendable {
        var builder: Builder
        var metadata: Metadata
    }
    struct Builder: Codable, Sendable {
        var id: String
        var version: [String: String]
    }
    struct Metadata: Codable, Sendable {
        /// RFC 3339.
        var finishedOn: String
    }
    var buildDefinition: Definition
    var runDetails: Run

    /// - Parameters:
    ///   - recipe: its name and digest.
    ///   - materials: the base, the inputs' digests, commits.
    ///   - builder: names the program and the host that built it, as a URI.
    public init(recipe: Material, steps: [Step], materials: [Material], builder: String, version: String, finished: Date) {
        buildDefinition = Definition(
            buildType: "https://terrine.dev/build/v1", externalParameters: External(recipe: recipe), internalParameters: Internal(steps: steps),
            resolvedDependencies: materials)
        runDetails = Run(
            builder: Builder(id: builder, version: ["terrine": version]), metadata: Metadata(finishedOn: finished.formatted(.iso8601)))
    }
}
