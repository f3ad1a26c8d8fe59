import ChunkStore
import Linux

import struct Crypto.SHA256

/// Takes a stream of bytes, one thread at a time.
public protocol ByteSink: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws
    /// Called once, after the last byte.
    func finish() throws
}

extension ByteSink {
    func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }
}

/// Writes to a file, from its beginning on.
public final class FileSink: ByteSink {
    private let file: Descriptor
    private var buffer: [UInt8] = []
    private var offset: Int64 = 0

    public init(_ file: Descriptor) {
        self.file = file
        buffer.reserveCapacity(2 << 20)
    }

    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 1 << 20 { try finish() }
    }

    public func finish() throws {
        try buffer.withUnsafeBytes { try file.write($0, at: offset) }
        offset += Int64(buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Counts and hashes what goes through it.
final class DigestSink: ByteSink {
    private let next: any ByteSink
    private var hasher = SHA256()
    private(set) var size: Int64 = 0

    init(_ next: any ByteSink) { self.next = next }

    /// Of everything so far.
    var digest: Digest { Digest.of(hasher) }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        hasher.update(bufferPointer: bytes)
        size += Int64(bytes.count)
        try next.write(bytes)
    }

    func finish() throws { try next.finish() }
}
