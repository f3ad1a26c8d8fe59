import CLzma

/// xz: https://tukaani.org/xz/xz-file-format.txt, with any number of streams one after the other.
final class XZDecoder: StreamDecoder {
    // liblzma keeps a pointer to its stream.
    private let stream: UnsafeMutablePointer<lzma_stream>
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var hasEnded = false
    /// Enough for `xz -9`, whose decoder takes 65 MiB.
    private static let memory: UInt64 = 256 << 20
    /// LZMA_CONCATENATED, a macro.
    private static let concatenated: UInt32 = 8

    init() throws {
        stream = .allocate(capacity: 1)
        stream.initialize(to: lzma_stream())
        guard lzma_stream_decoder(stream, Self.memory, Self.concatenated) == LZMA_OK else { throw StreamFault(text: "there is no memory for xz") }
    }

    deinit {
        lzma_end(stream)
        stream.deallocate()
        output.deallocate()
    }

    func feed(_ input: UnsafeRawBufferPointer, _ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        stream.pointee.next_in = input.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_in = input.count
        try run(LZMA_RUN, emit)
    }

    func finish(_ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        stream.pointee.avail_in = 0
        try run(LZMA_FINISH, emit)
        if !hasEnded { throw StreamFault(text: "the xz stream is cut off") }
    }

    private func run(_ action: lzma_action, _ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        var goesOn = true
        while goesOn && !hasEnded {
            stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = output.count
            let code = lzma_code(stream, action)
            let made = output.count - stream.pointee.avail_out
            if made > 0 { try emit(UnsafeRawBufferPointer(rebasing: output[..<made])) }
            switch code {
            case LZMA_OK: goesOn = stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0 || action == LZMA_FINISH
            case LZMA_STREAM_END: hasEnded = true
            case LZMA_BUF_ERROR: goesOn = false
            case LZMA_MEMLIMIT_ERROR: throw StreamFault(text: "xz: it needs more than \(Self.memory) bytes of memory to decompress")
            default: throw StreamFault(text: "xz: the data is damaged (\(code.rawValue))")
            }
        }
    }
}
