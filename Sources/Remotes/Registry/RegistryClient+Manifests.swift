import ChunkStore
import Foundation
import Images

extension RegistryClient {
    /// The manifest at a tag or digest, checked against its digest where one is known; nil when there is none.
    func manifest(_ reference: String, accepting types: [String] = [MediaType.manifest, MediaType.index]) throws -> (bytes: [UInt8], digest: Digest)? {
        var request = HTTPRequest("GET", url("manifests/\(reference)"))
        request.headers = types.map { ("Accept", $0) }
        let response = try send(request)
        if response.status == 404 { return nil }
        guard response.isSuccess else { throw refused(response, "read \(name.with(reference))") }
        let digest = Digest.of(response.body)
        for claimed in [reference, response.headers["docker-content-digest"] ?? ""] {
            if claimed.hasPrefix("sha256:"), Digest(claimed) != digest {
                throw RemoteError(
                    "corrupt", "the manifest \(name.with(reference)) does not have the bytes of its digest", cause: "they have the digest \(digest)",
                    fix: "try again; if it stays so, push the image anew")
            }
        }
        return (response.body, digest)
    }

    func put(manifest bytes: [UInt8], at reference: String, type: String = MediaType.manifest) throws {
        var request = HTTPRequest("PUT", url("manifests/\(reference)"))
        request.headers = [("Content-Type", type)]
        request.body = BytesBody(bytes: bytes)
        let response = try send(request)
        guard response.isSuccess else { throw refused(response, "write \(name.with(reference))") }
    }

    /// Manifests that speak of another one, by its digest. Registries from before OCI 1.1 have them as an index with a tag made of the digest.
    func referrers(of manifest: Digest) throws -> [OCIDescriptor] {
        let response = try send(HTTPRequest("GET", url("referrers/\(manifest)")))
        if response.isSuccess, response.headers["content-type"]?.hasPrefix(MediaType.index) == true {
            return try JSONDecoder().decode(OCIIndex.self, from: Data(response.body)).manifests
        }
        return try taggedReferrers(of: manifest)
    }

    private func taggedReferrers(of manifest: Digest) throws -> [OCIDescriptor] {
        guard let index = try self.manifest("sha256-\(manifest.hex)") else { return [] }
        // Another program may have put something else there.
        return (try? JSONDecoder().decode(OCIIndex.self, from: Data(index.bytes)))?.manifests ?? []
    }

    /// Writes a manifest that speaks of `subject`, so that ``referrers(of:)`` finds it.
    func put(referrer bytes: [UInt8], type artifactType: String, of subject: Digest) throws {
        let digest = Digest.of(bytes)
        var request = HTTPRequest("PUT", url("manifests/\(digest)"))
        request.headers = [("Content-Type", MediaType.manifest)]
        request.body = BytesBody(bytes: bytes)
        let response = try send(request)
        guard response.isSuccess else { throw refused(response, "write what belongs to \(name)") }
        // It says that it keeps the list itself.
        if response.headers["oci-subject"] != nil { return }
        var known = try taggedReferrers(of: subject)
        if known.contains(where: { $0.digest == digest }) { return }
        known.append(OCIDescriptor(mediaType: MediaType.manifest, digest: digest, size: Int64(bytes.count), annotations: nil, artifactType: artifactType))
        try put(manifest: try ImageConfig.canonical(OCIIndex(manifests: known)), at: "sha256-\(subject.hex)", type: MediaType.index)
    }
}

enum MediaType {
    static let manifest = "application/vnd.oci.image.manifest.v1+json"
    static let index = "application/vnd.oci.image.index.v1+json"
    static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    static let dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
    /// One of a layer's packs.
    static let pack = "application/vnd.terrine.pack.v1"
}
