import CZstd
import Glibc

/// zstd at level 3 with all cores: the same bytes give the same stream, however many there are.
public final class ZstdSink: ByteSink {
    private let next: any ByteSink
    private let context: OpaquePointer
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: ZSTD_CStreamOutSize(), alignment: 16)

    public init(_ next: any ByteSink) throws {
        self.next = next
        guard let made = ZSTD_createCCtx() else { throw ArchiveError("noMemory", "there is no memory for zstd") }
        context = made
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 3)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        // At least one: without any it is another algorithm, and other bytes. A library built without threads refuses, and has that one only.
        ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, Int32(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    }

    deinit {
        ZSTD_freeCCtx(context)
        output.deallocate()
    }

    public func write(_ bytes: UnsafeRawBufferPointer) throws { try run(bytes, ZSTD_e_continue) }

    public func finish() throws {
        try run(UnsafeRawBufferPointer(start: nil, count: 0), ZSTD_e_end)
        try next.finish()
    }

    private func run(_ bytes: UnsafeRawBufferPointer, _ directive: ZSTD_EndDirective) throws {
        var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        while true {
            var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            let left = ZSTD_compressStream2(context, &target, &source, directive)
            if ZSTD_isError(left) != 0 { throw ArchiveError("internal", "zstd cannot compress", cause: String(cString: ZSTD_getErrorName(left))) }
            if target.pos > 0 { try next.write(UnsafeRawBufferPointer(rebasing: output[..<target.pos])) }
            if directive == ZSTD_e_end ? left == 0 : source.pos == source.size { return }
        }
    }
}
