import ChunkStore
import Glibc
import Images
import Linux

/// Hands a sparse disk file to a layer, chunk by chunk; holes and zeroes are passed over without being stored.
enum DiskFeeder {
    // lseek(2); hidden from Swift behind _GNU_SOURCE.
    private static let seekData: Int32 = 3
    private static let seekHole: Int32 = 4
    private static let chunk = 65536
    private static let span = 16 * chunk

    /// - Parameter progress: bytes of the file that are done, of how many.
    static func feed(_ path: String, to layer: LayerWriter, progress: (Int64, Int64) -> Void = { _, _ in }) throws {
        let file = try Descriptor(path, O_RDONLY)
        let size = Int64(try check("seek", path) { lseek(file.raw, 0, SEEK_END) })
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: span, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < size, let data = try next(file, offset, seekData, path) {
            let end = min(size, try next(file, data, seekHole, path) ?? size)
            // Chunks do not begin where extents do.
            offset = max(offset, data / Int64(chunk) * Int64(chunk))
            while offset < end {
                let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(span, Int(size - offset))]), at: offset)
                for start in stride(from: 0, to: count, by: chunk) {
                    let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<min(start + chunk, count)])
                    if !isZero(bytes) { try layer.add(UInt64(offset + Int64(start)) / UInt64(chunk), bytes) }
                }
                offset += Int64(count)
                progress(min(offset, size), size)
            }
        }
        progress(size, size)
    }

    private static func next(_ file: Descriptor, _ offset: Int64, _ what: Int32, _ path: String) throws -> Int64? {
        let found = lseek(file.raw, Int(offset), what)
        if found >= 0 { return Int64(found) }
        if errno == ENXIO { return nil }
        throw LinuxError("seek", path)
    }

    private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
        return bytes[0] == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
    }
}
