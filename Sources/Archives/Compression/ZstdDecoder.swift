import CZstd

/// zstd: RFC 8878, with any number of frames one after the other.
final class ZstdDecoder: StreamDecoder {
    private let context: OpaquePointer
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: ZSTD_DStreamOutSize(), alignment: 16)
    private var isWhole = false

    init() throws {
        guard let made = ZSTD_createDCtx() else { throw StreamFault(text: "there is no memory for zstd") }
        context = made
        // 128 MiB of window: what `zstd --long=27` needs, and `zstd -d` takes without being asked.
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
    }

    deinit {
        ZSTD_freeDCtx(context)
        output.deallocate()
    }

    func feed(_ input: UnsafeRawBufferPointer, _ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var isFull = false
        while source.pos < source.size || isFull {
            var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            let result = ZSTD_decompressStream(context, &target, &source)
            if ZSTD_isError(result) != 0 { throw StreamFault(text: "zstd: " + String(cString: ZSTD_getErrorName(result))) }
            isWhole = result == 0
            isFull = target.pos == target.size && !isWhole
            if target.pos > 0 { try emit(UnsafeRawBufferPointer(rebasing: output[..<target.pos])) }
        }
    }

    func finish(_ emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        if !isWhole { throw StreamFault(text: "the zstd stream is cut off") }
    }
}
