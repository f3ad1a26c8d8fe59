import ChunkStore
import Foundation

/// An immutable disk: layers of chunks, and what machines from it are.
///
/// Its digest is that of its OCI config blob, which holds nothing of time, host or packing.
public struct Image: Sendable, Equatable {
    public let digest: Digest
    /// Digests of the layers' plain bytes, oldest first.
    public let layers: [Digest]
    public let virtualBytes: Int64
    /// The image that it was made from.
    public let parent: Digest?
    public let environment: [String: String]
    public let machine: MachineDefaults
    /// Those that this page does not name.
    public let labels: [String: String]
    /// The step that made it.
    public let step: String?
    public let cacheKey: String?
    /// Of its files, whatever the blocks.
    public let treeDigest: String?

    /// The ``step`` of a checkpoint.
    public static let checkpointStep = "checkpoint"
}

/// What an image shall be, beside its chunks.
public struct ImageDraft: Sendable {
    public var parent: Image?
    /// At least the parent's.
    public var virtualBytes: Int64
    public var environment: [String: String]
    public var machine: MachineDefaults
    public var step: String?
    public var cacheKey: String?
    public var treeDigest: String?
    public var labels: [String: String]
    /// Who makes it, when and how long it took: of the manifest, and no part of the image.
    public var made: MakerNote?
    /// Where the blocks came from, for people, when a stranger wrote them; a foreign parent's counts without being said. Of the store, and no part of the image.
    public var foreignOrigin: String?

    public init(
        parent: Image?, virtualBytes: Int64, environment: [String: String], machine: MachineDefaults, step: String?, cacheKey: String?,
        treeDigest: String? = nil, labels: [String: String] = [:]
    ) {
        (self.parent, self.virtualBytes, self.environment, self.machine) = (parent, virtualBytes, environment, machine)
        (self.step, self.cacheKey, self.treeDigest, self.labels) = (step, cacheKey, treeDigest, labels)
    }

    /// One that goes on from `parent` with everything but its blocks.
    public init(continuing parent: Image) {
        self.init(
            parent: parent, virtualBytes: parent.virtualBytes, environment: parent.environment, machine: parent.machine, step: nil, cacheKey: nil,
            labels: parent.labels)
    }
}

/// The OCI image config: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md
package struct ImageConfig: Codable {
    var architecture: String
    var os = "linux"
    var config: Settings
    var rootfs: RootFS

    struct Settings: Codable {
        var Env: [String]
        var User: String
        var WorkingDir: String
        var Labels: [String: String]
    }
    struct RootFS: Codable {
        var type = "layers"
        var diff_ids: [Digest]
    }

    enum Label {
        static let prefix = "dev.terrine."
        static let version = prefix + "version"
        static let virtualBytes = prefix + "virtual-bytes"
        static let machine = prefix + "machine"
        static let parent = prefix + "parent"
        static let step = prefix + "step"
        static let cacheKey = prefix + "cache-key"
        static let treeDigest = prefix + "tree-digest"
    }

    static var thisArchitecture: String {
        #if arch(arm64)
            "arm64"
        #else
            "amd64"
        #endif
    }

    init(_ draft: ImageDraft, layers: [Digest]) throws {
        var labels = draft.labels
        labels[Label.version] = "1"
        labels[Label.virtualBytes] = String(draft.virtualBytes)
        labels[Label.machine] = String(decoding: try Self.canonical(draft.machine), as: UTF8.self)
        labels[Label.parent] = draft.parent?.digest.description
        labels[Label.step] = draft.step
        labels[Label.cacheKey] = draft.cacheKey
        labels[Label.treeDigest] = draft.treeDigest
        architecture = Self.thisArchitecture
        config = Settings(
            Env: draft.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }, User: draft.machine.user,
            WorkingDir: draft.machine.workingFolder, Labels: labels)
        rootfs = RootFS(diff_ids: layers)
    }

    /// The same value always gives the same bytes.
    package static func canonical(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// - Throws: ``ImageError`` `unsupported` for an image that is none of ours.
    func image(_ digest: Digest) throws -> Image {
        let labels = config.Labels
        guard labels[Label.version] == "1", let bytes = labels[Label.virtualBytes].flatMap(Int64.init), let machine = labels[Label.machine] else {
            throw ImageError("unsupported", "the image \(digest) was not made by this terrine", cause: "its config has no `\(Label.version)` of 1")
        }
        let environment = config.Env.map { entry in
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return (parts[0], parts.count > 1 ? parts[1] : "")
        }
        return Image(
            digest: digest, layers: rootfs.diff_ids, virtualBytes: bytes, parent: labels[Label.parent].flatMap { Digest($0) },
            environment: Dictionary(environment) { $1 }, machine: try JSONDecoder().decode(MachineDefaults.self, from: Data(machine.utf8)),
            labels: labels.filter { !$0.key.hasPrefix(Label.prefix) }, step: labels[Label.step], cacheKey: labels[Label.cacheKey],
            treeDigest: labels[Label.treeDigest])
    }
}
