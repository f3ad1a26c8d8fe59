import ChunkStore
import Foundation
import Images
import Linux
import Synchronization

/// Fetches images from a repository: of their packs only the frames with chunks that the store lacks.
///
/// Each chunk is checked as it comes and kept at once, so that a pull that was killed goes on where it was.
public final class Pull: Sendable {
    public struct Result: Codable, Sendable {
        /// The name that it has here now; nil when it got none.
        public var name: String?
        public var image: String
        public var remote: String
        /// Bytes that came.
        public var fetchedBytes: Int64
        public var milliseconds: Int
        /// Whether the host's kernel must not mount it.
        public var foreign: Bool
    }

    /// An image in a repository, of which nothing but manifest and config was fetched.
    public struct Found: Sendable {
        public let image: Image
        let config: [UInt8]
        let manifest: OCIManifest
        let manifestDigest: Digest
        public var annotations: [String: String] { manifest.annotations ?? [:] }
    }

    /// Bytes that are fetched in one request.
    private static let spanBytes: Int64 = 4 << 20
    /// What lies between two frames that are wanted, and costs less than another request.
    private static let gapBytes: Int64 = 64 << 10
    /// The most that a layer's blob or a config may have.
    private static let blobLimit: Int64 = 256 << 20

    let images: ImageStore
    let remote: Remote
    let client: RegistryClient
    private let counter: ProgressCounter
    private let fetched = Atomic<Int64>(0)

    public convenience init(images: ImageStore, from remote: Remote, progress: @escaping @Sendable (TransferProgress) -> Void = { _ in }) {
        self.init(images: images, from: remote, client: remote.client(.pull), progress: progress)
    }

    init(images: ImageStore, from remote: Remote, client: RegistryClient, progress: @escaping @Sendable (TransferProgress) -> Void = { _ in }) {
        (self.images, self.remote, self.client, counter) = (images, remote, client, ProgressCounter(progress))
    }

    /// Bytes that have come so far.
    var fetchedBytes: Int64 { fetched.load(ordering: .relaxed) }

    /// Looks an image up, at the remote's own tag if no other is given; nil when there is none of that name.
    public func find(_ tag: String? = nil) throws -> Found? {
        guard let (bytes, digest) = try client.manifest(tag ?? remote.name.reference) else { return nil }
        fetched.add(Int64(bytes.count), ordering: .relaxed)
        func unsupported(_ cause: String) -> RemoteError {
            RemoteError("unsupported", "\(remote.name) is no image of terrine's", cause: cause, fix: "`terrine push` makes such images")
        }
        let manifest: OCIManifest
        do { manifest = try JSONDecoder().decode(OCIManifest.self, from: Data(bytes)) } catch { throw unsupported("it has no manifest of one image") }
        guard manifest.artifactType == OCIManifest.artifactType else { throw unsupported("it is of the type \(manifest.artifactType ?? "of other images")") }
        let config = try blob(manifest.config)
        return Found(image: try IncomingImage.image(config), config: config, manifest: manifest, manifestDigest: digest)
    }

    /// Takes an image that was found into the store; durable when it returns.
    ///
    /// - Parameter foreign: whether it gets the mark of one whose blocks a stranger wrote, unless the store has it already without.
    public func fetch(_ found: Found, foreign: Bool) throws -> Image {
        if try images.has(found.image.digest) {
            // Whoever vouches for it now does so for the very same bytes.
            if !foreign { try images.trust(found.image.digest) }
            return try images.image(found.image.digest)
        }
        let memory = try RemoteMemory(home: images.home, remote.name)
        // First: what is taken in without it would never get it.
        if foreign { try images.markForeign(found.image.digest, from: remote.name.description) } else { try images.trust(found.image.digest) }
        try images.makeRoom()
        let image = try take(found)
        // Its packs are there: who pushes what is made of this image need not send them.
        try memory.note(PackDescriptor.all(of: found.manifest))
        return image
    }

    private func take(_ found: Found) throws -> Image {
        let frames = try FrameImport(images.chunks)
        let layers = found.manifest.layers.filter { $0.mediaType == OCIManifest.layerType }
        let blobs = Mutex<[Digest: [UInt8]]>([:])
        let missing = layers.filter { !images.chunks.blobs.contains($0.digest) }
        counter.expect(missing.reduce(0) { $0 + $1.size })
        try inParallel(layers) { [self] layer in
            let isHere = images.chunks.blobs.contains(layer.digest)
            let bytes = try isHere ? images.chunks.blobs.read(layer.digest) : blob(layer) { [counter] in counter.advance(Int64($0)) }
            blobs.withLock { $0[layer.digest] = bytes }
        }
        let incoming = try IncomingImage(
            config: found.config, layers: layers.compactMap { layer in blobs.withLock { $0[layer.digest] } }, annotations: found.annotations)
        guard incoming.image.digest == found.image.digest else { throw client.corrupt(found.manifest.config.digest, "it is another image's config") }
        let needed = incoming.chunks
        let lacking = try needed.subtracting(images.chunks.numbers(of: needed).keys)
        if !lacking.isEmpty { try fetch(lacking, incoming.layers(with: lacking), found.manifest, frames) }
        return try images.adopt(incoming, frames)
    }

    private func blob(_ descriptor: OCIDescriptor, progress: @escaping (Int) -> Void = { _ in }) throws -> [UInt8] {
        guard (0...Self.blobLimit).contains(descriptor.size) else {
            throw client.corrupt(descriptor.digest, "its manifest says that it has \(descriptor.size) bytes")
        }
        let bytes = try client.blob(descriptor.digest, bytes: descriptor.size, progress: progress)
        fetched.add(descriptor.size, ordering: .relaxed)
        return bytes
    }

    // MARK: chunks

    /// Frames side by side in a pack, which are fetched with one request.
    private struct Span: Sendable {
        var pack: PackDescriptor
        var range: Range<Int64>
        var frames: [PackTable.Frame]
    }

    /// Gives the frames that hold `lacking` to `import`.
    private func fetch(_ lacking: Set<Digest>, _ layers: Set<Int>, _ manifest: OCIManifest, _ frames: FrameImport) throws {
        let packs = try manifest.layers.compactMap(PackDescriptor.read).filter { layers.contains($0.layer) }.map(\.pack)
        counter.expect(packs.reduce(0) { $0 + $1.tailBytes })
        let tables = Mutex<[Digest: PackTable]>([:])
        try inParallel(packs) { [self] pack in
            let table = try table(of: pack)
            tables.withLock { $0[pack.digest] = table }
        }
        var left = lacking
        var spans: [Span] = []
        for pack in packs {
            let table = tables.withLock { $0[pack.digest] }
            var open = false
            for frame in table?.frames ?? [] {
                guard frame.chunks.contains(where: { left.contains($0) }) else { continue }
                left.subtract(frame.chunks)
                let end = frame.offset + Int64(frame.compressed)
                if open, let last = spans.last, frame.offset - last.range.upperBound <= Self.gapBytes, end - last.range.lowerBound <= Self.spanBytes {
                    spans[spans.count - 1].range = last.range.lowerBound..<end
                    spans[spans.count - 1].frames.append(frame)
                } else {
                    spans.append(Span(pack: pack, range: frame.offset..<end, frames: [frame]))
                    open = true
                }
            }
        }
        counter.expect(spans.reduce(0) { $0 + Int64($1.range.count) })
        try inParallel(spans) { [self] span in try fetch(span, frames) }
    }

    private func table(of pack: PackDescriptor) throws -> PackTable {
        let range = (pack.bytes - pack.tailBytes)..<pack.bytes
        return try checked(pack, range) { bytes in
            guard Digest.of(bytes) == pack.tailDigest else { throw StoreError("corrupt", "its end has another digest") }
            return try PackTable(tail: bytes, bytes: pack.bytes)
        }
    }

    private func fetch(_ span: Span, _ frames: FrameImport) throws {
        // Frames that were found right are not given a second time.
        var done = 0
        try checked(span.pack, span.range) { bytes in
            try bytes.withUnsafeBytes { raw in
                while done < span.frames.count {
                    let frame = span.frames[done]
                    let first = Int(frame.offset - span.range.lowerBound)
                    try frames.add(UnsafeRawBufferPointer(rebasing: raw[first..<first + frame.compressed]), frame)
                    done += 1
                }
            }
        }
    }

    /// Fetches a part of a pack and looks at it; what did not come as it should is fetched again, twice.
    private func checked<T>(_ pack: PackDescriptor, _ range: Range<Int64>, _ body: ([UInt8]) throws -> T) throws -> T {
        for attempt in 1... {
            let bytes = try client.part(of: pack.digest, range, of: pack.bytes) { [counter] in counter.advance(Int64($0)) }
            fetched.add(Int64(bytes.count), ordering: .relaxed)
            do { return try body(bytes) } catch let error as StoreError where error.code == "corrupt" {
                if attempt == 3 { throw client.corrupt(pack.digest, error.cause ?? error.message) }
                counter.advance(-Int64(bytes.count))
            }
        }
        throw client.corrupt(pack.digest, "it did not come whole")
    }
}

extension Pull {
    /// Finds the image, fetches it with what belongs to it, and names it.
    ///
    /// - Parameter required: paths of public keys of which one must have signed it; otherwise nothing of it is fetched.
    public func run(name: String, required: [String] = [], since start: ContinuousClock.Instant = .now) throws -> Result {
        guard let found = try find() else {
            throw RemoteError("notFound", "there is no image \(remote.name)", fix: "look at the name and the tag; `terrine push` makes one")
        }
        let image = try accept(found, required: required)
        try images.tag(name, image)
        return Result(
            name: name, image: image.digest.description, remote: remote.name.description, fetchedBytes: fetchedBytes,
            milliseconds: (ContinuousClock.now - start).wholeMilliseconds, foreign: images.isForeign(image.digest))
    }

    /// Takes an image that was found into the store, with what belongs to it; foreign unless the remote or who signed it is trusted.
    ///
    /// - Parameter required: as of ``run(name:required:since:)``.
    public func accept(_ found: Found, required: [String] = []) throws -> Image {
        let attachments = try client.attachments(of: found.manifestDigest)
        if !required.isEmpty { _ = try ImageStore.signed(found.image.digest, attachments, by: required) }
        let image = try fetch(found, foreign: !isTrusted(found.image, attachments))
        for attachment in attachments { try images.attach(attachment, to: image.digest) }
        return image
    }

    /// By the remote's name, or by a signature.
    private func isTrusted(_ image: Image, _ attachments: [Attachment]) throws -> Bool {
        if remote.isTrusted { return true }
        if remote.keys.isEmpty { return false }
        do {
            _ = try ImageStore.signed(image.digest, attachments, by: remote.keys)
            return true
        } catch let error as RemoteError where error.code == "unsigned" { return false }
    }
}

extension Remote {
    /// What an image from there is called here when nobody says otherwise.
    public var localName: String {
        let last = name.repository.split(separator: "/").last.map(String.init) ?? name.repository
        return name.reference.hasPrefix("sha256:") ? last : "\(last):\(name.reference)"
    }
}
