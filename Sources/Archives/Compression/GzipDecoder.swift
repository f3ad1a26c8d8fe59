import CZlib

/// gzip: RFC 1952, with any number of members one after the other.
final class GzipDecoder: StreamDecoder {
    // zlib keeps a pointer to its stream.
    private let stream: UnsafeMutablePointer<z_stream>
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var isBetweenMembers = false

    init() throws {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 16: with gzip's header and checksum.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw StreamFault(text: "there is no memory for zlib")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    func feed(_ input: UnsafeRawBufferPointer, _ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        var rest = input[...]
        while !rest.isEmpty {
            if isBetweenMembers {
                // Tapes are filled up with zeroes.
                rest = rest.drop { $0 == 0 }
                if rest.isEmpty { return }
                inflateReset(stream)
                isBetweenMembers = false
            }
            let part = UnsafeRawBufferPointer(rebasing: rest)
            stream.pointee.next_in = UnsafeMutablePointer(mutating: part.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(part.count)
            try inflateAll(emit)
            rest = rest.suffix(Int(stream.pointee.avail_in))
        }
    }

    /// Until the input is used up or the member has ended.
    private func inflateAll(_ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        while true {
            stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            let code = inflate(stream, Z_NO_FLUSH)
            let made = output.count - Int(stream.pointee.avail_out)
            if made > 0 { try emit(UnsafeRawBufferPointer(rebasing: output[..<made])) }
            switch code {
            case Z_STREAM_END:
                isBetweenMembers = true
                return
            case Z_BUF_ERROR: return
            case Z_OK: if stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { return }
            default: throw StreamFault(text: "gzip: " + (stream.pointee.msg.map { String(cString: $0) } ?? "error \(code)"))
            }
        }
    }

    func finish(_ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        if !isBetweenMembers { throw StreamFault(text: "the gzip stream is cut off") }
    }
}
