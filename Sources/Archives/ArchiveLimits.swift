import Synchronization

/// What an archive may ask of this host. No honest archive comes near; a bomb ends here instead of in a full disk or memory.
public struct ArchiveLimits: Sendable {
    /// Plain bytes of everything that is decompressed, together.
    public var bytes: Int64 = 64 << 30
    /// How many times larger than its compressed form a blob may become, once it is over ``freeBytes``.
    public var ratio: Int64 = 250
    /// Plain bytes of a blob to which ``ratio`` does not apply: a small blob of zeroes is no bomb.
    public var freeBytes: Int64 = 64 << 20
    /// Entries of all layers together.
    public var entries = 4_000_000
    /// Bytes of names, link targets and extended attributes, which are held in memory, of all entries together.
    public var metadataBytes: Int64 = 1 << 30
    /// Bytes of one path, and of one link's target: PATH_MAX.
    public var pathBytes = 4096
    /// Folders above an entry.
    public var depth = 512
    /// Bytes of the extended headers of one entry.
    public var headerBytes = 1 << 20
    /// Bytes of a file, holes included: ext4's own limit with 4 KiB blocks.
    public var fileBytes: Int64 = (16 << 40) - 4096
    /// Bytes of a manifest, an index or a config.
    public var documentBytes: Int64 = 4 << 20
    public var layers = 1000

    public init() {}
}

/// How much of its limits an archive has used; shared by all of its layers.
public final class ArchiveAllowance: Sendable {
    public let limits: ArchiveLimits
    private struct Spent {
        var bytes: Int64 = 0
        var entries = 0
        var metadata: Int64 = 0
    }
    private let spent = Mutex(Spent())

    public init(_ limits: ArchiveLimits = ArchiveLimits()) { self.limits = limits }

    /// - Parameter archive: for the error.
    func spend(bytes count: Int64, of archive: String) throws {
        try spent.withLock { spent in
            spent.bytes += count
            if spent.bytes > limits.bytes {
                throw ArchiveError(
                    "tooLarge", "\(archive) decompresses to more than \(limits.bytes) bytes",
                    fix: "if you trust where it comes from, allow more with --max-size")
            }
        }
    }

    func spend(entry metadata: Int, of archive: String) throws {
        try spent.withLock { spent in
            spent.entries += 1
            spent.metadata += Int64(metadata)
            if spent.entries > limits.entries {
                throw ArchiveError(
                    "tooLarge", "\(archive) has more than \(limits.entries) entries",
                    fix: "no file system of an image needs as many: look at where it comes from")
            }
            if spent.metadata > limits.metadataBytes {
                throw ArchiveError(
                    "tooLarge", "the names and attributes in \(archive) take more than \(limits.metadataBytes) bytes",
                    fix: "no file system of an image needs as many: look at where it comes from")
            }
        }
    }
}
