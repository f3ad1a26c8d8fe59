import CZlib

/// gzip at level 6, without a time or a name: the same bytes give the same stream.
public final class GzipSink: ByteSink {
    private let next: any ByteSink
    private let stream: UnsafeMutablePointer<z_stream>
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)

    public init(_ next: any ByteSink) throws {
        self.next = next
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard deflateInit2_(stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw ArchiveError("noMemory", "there is no memory for zlib")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(bytes.count)
        try run(Z_NO_FLUSH)
    }

    public func finish() throws {
        stream.pointee.avail_in = 0
        try run(Z_FINISH)
        try next.finish()
    }

    private func run(_ flush: Int32) throws {
        repeat {
            stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            guard deflate(stream, flush) != Z_STREAM_ERROR else { throw ArchiveError("internal", "zlib cannot compress") }
            let made = output.count - Int(stream.pointee.avail_out)
            if made > 0 { try next.write(UnsafeRawBufferPointer(rebasing: output[..<made])) }
        } while stream.pointee.avail_out == 0
    }
}
