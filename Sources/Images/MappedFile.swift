import Glibc
import Linux

/// A file's bytes as they were when it was opened, mapped and only read.
///
/// Unchecked: nobody changes bytes that a reader may look at.
package final class MappedFile: @unchecked Sendable {
    let file: Descriptor
    package let bytes: UnsafeRawBufferPointer

    /// Nil when the file is empty.
    package init?(_ file: Descriptor, _ path: String) throws {
        var status = stat()
        try check("look at", path) { fstat(file.raw, &status) }
        let size = Int(status.st_size)
        guard size > 0 else { return nil }
        guard let mapped = mmap(nil, size, PROT_READ, MAP_SHARED, file.raw, 0), mapped != MAP_FAILED else { throw LinuxError("map", path) }
        self.file = file
        bytes = UnsafeRawBufferPointer(start: mapped, count: size)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

    func word(_ offset: Int) -> UInt32 { UInt32(littleEndian: bytes.load(fromByteOffset: offset, as: UInt32.self)) }
    func long(_ offset: Int) -> UInt64 { UInt64(littleEndian: bytes.load(fromByteOffset: offset, as: UInt64.self)) }
}
