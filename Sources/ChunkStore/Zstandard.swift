import CZstd

/// zstd frames in memory.
public enum Zstandard {
    /// One frame, with its content size and a checksum, at the beginning of `output`.
    ///
    /// - Returns: the frame's bytes.
    static func compress(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, level: Int32, with context: Context) throws -> Int {
        ZSTD_CCtx_reset(context.pointer, ZSTD_reset_session_and_parameters)
        ZSTD_CCtx_setParameter(context.pointer, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setParameter(context.pointer, ZSTD_c_checksumFlag, 1)
        let result = ZSTD_compress2(context.pointer, output.baseAddress, output.count, bytes.baseAddress, bytes.count)
        if ZSTD_isError(result) != 0 {
            throw StoreError("internal", "zstd cannot compress \(bytes.count) bytes", cause: String(cString: ZSTD_getErrorName(result)))
        }
        return result
    }

    /// One frame, with its content size and a checksum.
    public static func compress(_ bytes: UnsafeRawBufferPointer, level: Int32, with context: Context) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
            count = try compress(bytes, into: UnsafeMutableRawBufferPointer(buffer), level: level, with: context)
        }
    }

    /// One frame whole.
    public static func compress(_ bytes: [UInt8], level: Int32) throws -> [UInt8] {
        let context = try Context()
        return try bytes.withUnsafeBytes { try compress($0, level: level, with: context) }
    }

    /// Fills `output` with what one frame holds, which must be exactly as much.
    public static func decompress(_ frame: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
        let result = ZSTD_decompress(output.baseAddress, output.count, frame.baseAddress, frame.count)
        if ZSTD_isError(result) != 0 { throw StoreError("corrupt", "a zstd frame cannot be read", cause: String(cString: ZSTD_getErrorName(result))) }
        if result != output.count { throw StoreError("corrupt", "a zstd frame holds \(result) bytes instead of \(output.count)") }
    }

    /// A small blob, whose frame tells its size.
    public static func decompress(_ frame: [UInt8], limit: Int) throws -> [UInt8] {
        try frame.withUnsafeBytes { raw in
            let size = ZSTD_getFrameContentSize(raw.baseAddress, raw.count)
            guard size <= UInt64(limit) else { throw StoreError("corrupt", "a compressed blob does not say its size, or one of more than \(limit) bytes") }
            return try [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
                try decompress(raw, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<Int(size)]))
                count = Int(size)
            }
        }
    }

    /// What a compression needs beside its input.
    ///
    /// Unchecked: one thread uses it at a time.
    public final class Context: @unchecked Sendable {
        let pointer: OpaquePointer

        public init() throws {
            guard let made = ZSTD_createCCtx() else { throw StoreError("noMemory", "there is no memory for zstd") }
            pointer = made
        }

        deinit { ZSTD_freeCCtx(pointer) }
    }
}
