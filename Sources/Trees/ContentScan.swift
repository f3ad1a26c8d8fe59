import ChunkStore

/// What one look at a file's content tells: its digest, and where it is not zero.
public struct ContentScan: Sendable {
    /// Bytes of a span, the least that can be a hole.
    public static let span: Int64 = 65536

    /// See ``ContentDigest``.
    public let digest: Digest
    /// Spans that hold more than zeroes, joined where they touch; the last one ends where the file does. What the source says of holes does not count.
    public let data: [Range<Int64>]
}
