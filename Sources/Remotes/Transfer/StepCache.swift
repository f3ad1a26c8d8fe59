import ChunkStore
import Foundation
import Images
import Synchronization

/// Steps of recipes in a repository, each an image under a tag made of its cache key: `step-KEY`, and `base-KEY` for bases by their definitions.
///
/// A step is looked up by its manifest and config alone; its chunks are fetched when somebody needs them.
public final class StepCache: Sendable {
    private static let recordKey = "dev.terrine.base"

    public let name: String
    private let images: ImageStore
    private let remote: Remote
    private let use: Use
    private let looking: Pull
    private let warn: @Sendable (String) -> Void
    private let lost = Mutex(false)
    private let bytes = Mutex<Int64>(0)

    public enum Use: Sendable {
        case reads
        /// - Parameter signingKey: path of the private key that vouches for each step.
        case writes(signingKey: String?)
    }

    /// - Parameter warn: told once when the remote cannot be used: a build goes on without it.
    /// - Throws: ``RemoteError`` `untrusted` for a remote to read from that is trusted neither by its name nor by a key.
    public convenience init(images: ImageStore, at remote: Remote, _ use: Use, warn: @escaping @Sendable (String) -> Void) throws {
        if case .reads = use, !remote.isTrusted, remote.keys.isEmpty {
            throw RemoteError(
                "untrusted", "steps from \(remote.name.repositoryName) cannot be used: it is not trusted here",
                fix: "name it in \(images.home)/config.yaml with `trusted: true` or with `keys`, or say --trust-cache")
        }
        self.init(checked: images, remote, use, warn)
    }

    private init(checked images: ImageStore, _ remote: Remote, _ use: Use, _ warn: @escaping @Sendable (String) -> Void) {
        (self.images, self.remote, self.use, self.warn, name) = (images, remote, use, warn, remote.name.repositoryName)
        // A build does not wait long for what it can do without.
        looking = Pull(images: images, from: remote, client: remote.client(.pull, retry: Retry(attempts: 2), connectTimeout: 5))
    }

    /// The same for another build, which counts and loses it for itself.
    public func forAnotherBuild() -> StepCache { StepCache(checked: images, remote, use, warn) }

    /// Bytes that came from there.
    public var fetchedBytes: Int64 { looking.fetchedBytes + bytes.withLock { $0 } }

    /// Nothing is asked of it any more.
    public func giveUp(_ error: any Error) {
        if lost.withLock({ was in
            defer { was = true }
            return was
        }) {
            return
        }
        warn("the cache \(name) is left out: \(error)")
    }

    /// What a step with this key made; nil when it is not there.
    ///
    /// - Parameter isRight: whether an image can be what such a step makes. Its digest, which a key may have signed, does not say under which tag it is.
    public func step(_ key: String, isRight: (Image) -> Bool) -> Pull.Found? {
        guard let found = find("step-\(key)"), isRight(found.image) else { return nil }
        return found
    }

    /// The image that a base's definition gave, and the record of what it was made from.
    public func base(_ definition: String) -> (found: Pull.Found, record: String)? {
        guard let found = find("base-\(definition)"), let record = found.annotations[Self.recordKey] else { return nil }
        return (found, record)
    }

    private func find(_ tag: String) -> Pull.Found? {
        if lost.withLock({ $0 }) { return nil }
        do {
            guard let found = try looking.find(tag) else { return nil }
            if !remote.isTrusted {
                _ = try ImageStore.signed(found.image.digest, looking.client.attachments(of: found.manifestDigest), by: remote.keys)
            }
            return found
        } catch {
            giveUp(error)
            return nil
        }
    }

    /// Takes a step's image into the store: of its chunks, those that are not there.
    public func fetch(_ found: Pull.Found, progress: @escaping @Sendable (TransferProgress) -> Void) throws -> Image {
        let pull = Pull(images: images, from: remote, progress: progress)
        defer { bytes.withLock { $0 += pull.fetchedBytes } }
        return try pull.fetch(found, foreign: false)
    }

    /// Sends what steps made, those that are not there.
    ///
    /// - Returns: the bytes that were sent.
    public func store(_ steps: [Entry], progress: @escaping @Sendable (TransferProgress) -> Void) throws -> Int64 {
        var sent: Int64 = 0
        let client = remote.client(.push)
        for entry in steps {
            // What was passed over for a later step is not here.
            guard try images.has(entry.image.digest) else { continue }
            let remote = self.remote.with(entry.tag)
            let push = Push(images: images, to: remote, client: client, progress: progress)
            var signer: String?
            if case .writes(let key?) = use {
                _ = try images.sign(entry.image, key: key)
                signer = key
            }
            if try push.isThere(entry.image, signedBy: signer) { continue }
            sent += try push.run(entry.image, annotations: entry.record.map { [Self.recordKey: $0] } ?? [:]).sentBytes
        }
        return sent
    }

    public struct Entry: Sendable {
        let tag: String
        let image: Image
        let record: String?

        public init(step key: String, _ image: Image) { (tag, self.image, record) = ("step-\(key)", image, nil) }
        public init(base definition: String, _ image: Image, record: String) { (tag, self.image, self.record) = ("base-\(definition)", image, record) }
    }
}
