import ChunkStore
import Foundation
import Images
import Linux
import Synchronization

/// Sends images to a repository: a manifest with packs that hold exactly the image's chunks, less what is there already.
///
/// Each layer has packs of its own, of the chunks that no layer below it has: an image on top of one that was pushed needs little more than its new layer.
public final class Push: Sendable {
    public struct Result: Codable, Sendable {
        /// With the tag.
        public var remote: String
        public var image: String
        /// Of the manifest, by which the registry knows it.
        public var manifest: String
        /// Of the blobs: what the image takes there, and what of that was sent.
        public var totalBytes: Int64
        public var sentBytes: Int64
        public var milliseconds: Int
    }

    /// Packs of a layer are about this large; more for a large layer, so that no manifest has thousands of them. A registry may forget all of a blob whose
    /// upload was cut: this, for each thread, is what is then sent again.
    static let packBytes: Int64 = 1 << 20

    private let images: ImageStore
    private let remote: Remote
    private let client: RegistryClient
    private let counter: ProgressCounter
    /// Known to be there.
    private let present = Mutex<Set<Digest>>([])
    private let sent = Atomic<Int64>(0)

    public convenience init(images: ImageStore, to remote: Remote, progress: @escaping @Sendable (TransferProgress) -> Void = { _ in }) {
        self.init(images: images, to: remote, client: remote.client(.push), progress: progress)
    }

    init(images: ImageStore, to remote: Remote, client: RegistryClient, progress: @escaping @Sendable (TransferProgress) -> Void) {
        (self.images, self.remote, self.client, counter) = (images, remote, client, ProgressCounter(progress))
    }

    /// - Parameter annotations: of the manifest.
    public func run(_ image: Image, annotations: [String: String] = [:]) throws -> Result {
        let start = ContinuousClock.now
        let before = sent.load(ordering: .relaxed)
        let parts = try images.parts(of: image)
        let memory = try RemoteMemory(home: images.home, remote.name)
        let reference = remote.name.reference
        if reference.hasPrefix("sha256:") {
            throw RemoteError("invalid", "\(remote.name) is a digest, under which nothing can be pushed", fix: "say a tag in its place")
        }
        let old = try client.manifest(reference)
        let packs = try self.packs(image, parts, memory, old.flatMap { try? JSONDecoder().decode(OCIManifest.self, from: Data($0.bytes)) })  // Or another's.

        let config = OCIDescriptor(mediaType: OCIManifest.configType, digest: image.digest, size: Int64(parts.config.count))
        counter.expect(parts.layers.reduce(config.size) { $0 + $1.size })
        try inParallel(parts.layers.map(\.digest) + [image.digest]) { [self] digest in
            try send(BytesBlob(try images.chunks.blobs.read(digest)), sources: [])
        }
        let chains = PackDescriptor.chains(image.layers)
        let layers = parts.layers + packs.enumerated().flatMap { index, packs in packs.map { $0.descriptor(layer: index, chain: chains[index]) } }
        let all = parts.annotations.merging(annotations) { $1 }
        let manifest = OCIManifest(config: config, layers: layers, annotations: all.isEmpty ? nil : all)
        let bytes = try ImageConfig.canonical(manifest)
        if old?.bytes != bytes { try client.put(manifest: bytes, at: reference) }
        try client.put(images.attachments(of: image.digest), about: bytes)
        try memory.note(Dictionary(zip(chains.map(\.hex), packs)) { $1 })
        let time = ContinuousClock.now - start
        return Result(
            remote: remote.name.description, image: image.digest.description, manifest: Digest.of(bytes).description,
            totalBytes: layers.reduce(config.size) { $0 + $1.size }, sentBytes: sent.load(ordering: .relaxed) - before, milliseconds: time.wholeMilliseconds)
    }

    /// Whether the tag is this very image's, and this key, if one is given, has signed it there.
    func isThere(_ image: Image, signedBy key: String? = nil) throws -> Bool {
        guard let old = try client.manifest(remote.name.reference) else { return false }
        // Another program may have put something else there.
        guard (try? JSONDecoder().decode(OCIManifest.self, from: Data(old.bytes)))?.config.digest == image.digest else { return false }
        guard let key else { return true }
        do {
            _ = try ImageStore.signed(image.digest, client.attachments(of: old.digest), by: [key])
            return true
        } catch let error as RemoteError where error.code == "unsigned" { return false }
    }

    // MARK: packs

    /// The packs of each layer, all of them there when this returns.
    private func packs(_ image: Image, _ parts: ImageParts, _ memory: RemoteMemory, _ old: OCIManifest?) throws -> [[PackDescriptor]] {
        let chains = PackDescriptor.chains(image.layers)
        var known = memory.own()
        if let old {
            present.withLock { $0.formUnion([old.config.digest] + old.layers.map(\.digest)) }
            known.merge(try PackDescriptor.all(of: old)) { $1 }
        }
        let others = memory.others()
        var result: [[PackDescriptor]] = []
        for (index, chunks) in parts.chunks.enumerated() {
            if chunks.isEmpty {
                result.append([])
                continue
            }
            let chain = chains[index].hex
            if let packs = known[chain], try areThere(packs) {
                result.append(packs)
            } else if let packs = try mounted(others.compactMap { other in other.layers[chain].map { (other.repository, $0) } }) {
                result.append(packs)
            } else {
                result.append(try sendPacks(chunks, others.map { ($0.repository, Set($0.layers.values.joined().map(\.digest))) }, memory))
            }
        }
        return result
    }

    private func areThere(_ packs: [PackDescriptor]) throws -> Bool {
        let missing = Atomic(false)
        try inParallel(packs) { [self] pack in
            if missing.load(ordering: .relaxed) { return }
            if try !isThere(pack.digest) { missing.store(true, ordering: .relaxed) }
        }
        return !missing.load(ordering: .relaxed)
    }

    private func isThere(_ blob: Digest) throws -> Bool {
        if present.withLock({ $0.contains(blob) }) { return true }
        guard try client.has(blob) else { return false }
        present.withLock { _ = $0.insert(blob) }
        return true
    }

    /// The first of `candidates` that can be had from its repository as a whole.
    private func mounted(_ candidates: [(repository: String, packs: [PackDescriptor])]) throws -> [PackDescriptor]? {
        for (repository, packs) in candidates {
            let failed = Atomic(false)
            try inParallel(packs) { [self] pack in
                if failed.load(ordering: .relaxed) { return }
                if try !isThere(pack.digest), try !client.mount(pack.digest, from: repository) { failed.store(true, ordering: .relaxed) }
            }
            if !failed.load(ordering: .relaxed) { return packs }
        }
        return nil
    }

    private func sendPacks(_ chunks: [Digest], _ others: [(repository: String, blobs: Set<Digest>)], _ memory: RemoteMemory) throws -> [PackDescriptor] {
        let estimate = Int64(chunks.count) * Int64(ChunkStore.chunkBytes) / 3
        let packs = try images.chunks.outgoingPacks(chunks, target: min(64 << 20, max(Self.packBytes, estimate / 256)))
        counter.expect(packs.reduce(0) { $0 + $1.bytes })
        let sessions = try memory.sessions
        try inParallel(packs) { [self] pack in
            try send(PackBlob(pack: pack), sources: others.filter { $0.blobs.contains(pack.digest) }.map(\.repository), sessions)
        }
        return packs.map(PackDescriptor.init)
    }

    /// Sends a blob that is perhaps there.
    private func send(_ blob: any OutgoingBlob, sources: [String], _ sessions: UploadSessions? = nil) throws {
        if try isThere(blob.digest) { return counter.advance(blob.count) }
        let bytes = try client.upload(blob, mountingFrom: sources.first, sessions) { [counter] in counter.advance($0) }
        sent.add(bytes, ordering: .relaxed)
        present.withLock { _ = $0.insert(blob.digest) }
    }
}

private struct PackBlob: OutgoingBlob {
    let pack: OutgoingPack
    var digest: Digest { pack.digest }
    var count: Int64 { pack.bytes }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int { try pack.read(into: buffer, at: offset) }
}

extension Duration {
    var wholeMilliseconds: Int { Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000) }
}
