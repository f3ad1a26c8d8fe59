import ChunkStore
import Foundation
import Images

/// Fetches images of containers, which others made, from a repository: into an OCI image layout on this host, where an importer reads them.
///
/// Every blob is checked against its digest as it comes. What is in the layers is nobody's business here.
public struct ContainerFetch {
    /// What lies at a name: a manifest, or a list of one for each kind of machine.
    public struct Found {
        /// Of the bytes at that name: what it is pinned by.
        public let digest: Digest
        let bytes: [UInt8]
        /// Whether it is an image of terrine's own, for ``Pull``.
        public let isOurs: Bool
    }

    private struct Platform: Decodable {
        var architecture: String
        var os: String
    }
    private struct Descriptor: Decodable {
        var mediaType: String?
        var digest: Digest
        var size: Int64
        var platform: Platform?
    }
    /// Of both kinds of document what counts here.
    private struct Document: Decodable {
        var mediaType: String?
        var artifactType: String?
        var config: Descriptor?
        var layers: [Descriptor]?
        var manifests: [Descriptor]?
    }

    private static let types = [MediaType.manifest, MediaType.index, MediaType.dockerManifest, MediaType.dockerList]
    /// The most that a manifest, a list or a config may have.
    private static let documentLimit: Int64 = 4 << 20

    private let remote: Remote
    private let client: RegistryClient
    private let counter: ProgressCounter

    public init(from remote: Remote, progress: @escaping @Sendable (TransferProgress) -> Void = { _ in }) {
        (self.remote, client, counter) = (remote, remote.client(.pull), ProgressCounter(progress))
    }

    /// - Parameter reference: a tag or a digest; the remote's own if nil.
    /// - Returns: nil when there is nothing of that name.
    public func find(_ reference: String? = nil) throws -> Found? {
        guard let (bytes, digest) = try client.manifest(reference ?? remote.name.reference, accepting: Self.types) else { return nil }
        return Found(digest: digest, bytes: bytes, isOurs: try document(bytes).artifactType == OCIManifest.artifactType)
    }

    /// Writes a layout with the image for one kind of machine.
    ///
    /// - Parameters:
    ///   - architecture: as Go names it, such as `amd64`.
    ///   - folder: is made.
    /// - Throws: ``RemoteError`` `unsupported` when there is none for that architecture, or it is no image.
    public func fetch(_ found: Found, architecture: String, into folder: String) throws {
        let (bytes, manifest) = try manifest(found.bytes, architecture)
        guard let config = manifest.config, let layers = manifest.layers else { throw unsupported("its manifest names no config and no layers") }
        let blobs = folder + "/blobs/sha256"
        try FileManager.default.createDirectory(atPath: blobs, withIntermediateDirectories: true)
        func write(_ bytes: [UInt8], _ path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
        let digest = Digest.of(bytes)
        try write(bytes, "\(blobs)/\(digest.hex)")
        let type = manifest.mediaType ?? MediaType.manifest
        try write(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), folder + "/oci-layout")
        try write(
            ImageConfig.canonical(OCIIndex(manifests: [OCIDescriptor(mediaType: type, digest: digest, size: Int64(bytes.count))])), folder + "/index.json")
        // A layer may stand twice.
        let all = Dictionary(([config] + layers).map { ($0.digest, $0.size) }) { first, _ in first }
        guard all.values.allSatisfy({ $0 >= 0 }), config.size <= Self.documentLimit else { throw unsupported("its manifest names sizes that no blob has") }
        counter.expect(all.values.reduce(0) { $0 &+ $1 })
        try inParallel(all.sorted { $0.value > $1.value }.map { (digest: $0.key, size: $0.value) }) { [client, counter] blob in
            try client.save(blob.digest, bytes: blob.size, to: "\(blobs)/\(blob.digest.hex)") { counter.advance(Int64($0)) }
        }
    }

    /// Through lists, of which real images have one.
    private func manifest(_ bytes: [UInt8], _ architecture: String) throws -> (bytes: [UInt8], document: Document) {
        var bytes = bytes
        for _ in 0..<4 {
            let document = try document(bytes)
            guard let choices = document.manifests else { return (bytes, document) }
            guard let choice = choices.first(where: { $0.platform.map { $0.os == "linux" && $0.architecture == architecture } ?? (choices.count == 1) }) else {
                let there = choices.compactMap { $0.platform.map { "\($0.os)/\($0.architecture)" } }.joined(separator: ", ")
                throw unsupported("it is none for linux/\(architecture)" + (there.isEmpty ? "" : ", but for \(there)"))
            }
            guard let next = try client.manifest(choice.digest.description, accepting: Self.types) else {
                throw client.corrupt(choice.digest, "a list names it, and it is not there")
            }
            bytes = next.bytes
        }
        throw unsupported("its lists lead to lists without end")
    }

    private func document(_ bytes: [UInt8]) throws -> Document {
        do { return try JSONDecoder().decode(Document.self, from: Data(bytes)) } catch { throw unsupported("its manifest is none that is known") }
    }

    private func unsupported(_ cause: String) -> RemoteError {
        RemoteError(
            "unsupported", "\(remote.name) is no image that can be used", cause: cause, fix: "look at it with `skopeo inspect --raw docker://\(remote.name)`")
    }
}
