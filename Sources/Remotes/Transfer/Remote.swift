import ChunkStore
import Foundation
import Images
import Linux

/// A place in a registry, and how this host talks to it.
public struct Remote: Sendable {
    public let name: RemoteName
    public let isTrusted: Bool
    /// Paths of public keys that may vouch for its images.
    public let keys: [String]
    public let isPlain: Bool
    let home: String

    /// - Parameters:
    ///   - plainHTTP: asked for on the command line; the configuration may ask for it too.
    ///   - trusted: as well.
    public init(_ text: String, home: String, plainHTTP: Bool = false, trusted: Bool = false) throws {
        name = try RemoteName(text)
        let settings = try RemoteConfiguration.load(home: home).remote(name)
        (isTrusted, isPlain, keys) = (settings.isTrusted || trusted, settings.isPlain || plainHTTP, settings.keys)
        self.home = home
    }

    private init(_ other: Remote, _ name: RemoteName) {
        (self.name, isTrusted, isPlain, keys, home) = (name, other.isTrusted, other.isPlain, other.keys, other.home)
    }

    /// Another tag of the same repository.
    public func with(_ tag: String) -> Remote { Remote(self, name.with(tag)) }

    func client(_ access: RegistryClient.Access, retry: Retry = Retry(), connectTimeout: Int = 30) -> RegistryClient {
        RegistryClient(name, isPlain: isPlain, access: access, retry: retry, connectTimeout: connectTimeout)
    }
}

/// How far a transfer has come, in bytes.
public struct TransferProgress: Sendable, Equatable {
    public var done: Int64
    public var total: Int64
    public var left: Int64 { total - done }
}

/// Counts what goes over the network, and tells it.
final class ProgressCounter: Sendable {
    private let lock = NSLock()
    nonisolated(unsafe) private var progress = TransferProgress(done: 0, total: 0)
    private let tell: @Sendable (TransferProgress) -> Void

    init(_ tell: @escaping @Sendable (TransferProgress) -> Void) { self.tell = tell }

    func expect(_ bytes: Int64) { change { $0.total += bytes } }
    func advance(_ bytes: Int64) { change { $0.done += bytes } }

    private func change(_ body: (inout TransferProgress) -> Void) {
        // Told in order.
        lock.withLock {
            body(&progress)
            tell(progress)
        }
    }
}
