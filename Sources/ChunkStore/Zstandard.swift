import CZstd
import Foundation

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
    static func decompress(_ frame: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
        try check(ZSTD_decompress(output.baseAddress, output.count, frame.baseAddress, frame.count), output.count)
    }

    /// - Parameter result: what zstd returned.
    fileprivate static func check(_ result: Int, _ expected: Int) throws {
        if ZSTD_isError(result) != 0 { throw StoreError("corrupt", "a zstd frame cannot be read", cause: String(cString: ZSTD_getErrorName(result))) }
        if result != expected { throw StoreError("corrupt", "a zstd frame holds \(result) bytes instead of \(expected)") }
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

/// What decompressing needs beside its input, and room for that.
final class Decompressor {
    private let context: OpaquePointer
    private var memory: UnsafeMutableRawBufferPointer

    init() throws {
        guard let made = ZSTD_createDCtx() else { throw StoreError("noMemory", "there is no memory for zstd") }
        context = made
        memory = .allocate(byteCount: 256 << 10, alignment: 4096)
    }

    deinit {
        ZSTD_freeDCtx(context)
        memory.deallocate()
    }

    /// Room for a compressed frame, until the next call.
    func scratch(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if count > memory.count {
            memory.deallocate()
            memory = .allocate(byteCount: count, alignment: 4096)
        }
        return UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }

    /// As ``Zstandard/decompress(_:into:)``.
    func decompress(_ frame: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
        try Zstandard.check(ZSTD_decompressDCtx(context, output.baseAddress, output.count, frame.baseAddress, frame.count), output.count)
    }
}

/// Decompressors that are used again: there are as many as were ever needed at once.
///
/// Unchecked: guarded by the lock; one that is taken is the taker's.
final class Decompressors: @unchecked Sendable {
    private let lock = NSLock()
    private var free: [Decompressor] = []

    func with<T>(_ body: (Decompressor) throws -> T) throws -> T {
        let one = try lock.withLock { free.popLast() } ?? Decompressor()
        defer { lock.withLock { free.append(one) } }
        return try body(one)
    }
}
