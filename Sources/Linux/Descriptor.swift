import CLinux
import Glibc

/// A file descriptor that is closed when the last reference goes.
public final class Descriptor: Sendable {
    public let raw: Int32

    /// Takes over `raw`.
    public init(owning raw: Int32) { self.raw = raw }

    /// Opens `path`, close-on-exec.
    public convenience init(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws {
        self.init(owning: try check("open", path) { clinux_openat(AT_FDCWD, path, flags | O_CLOEXEC, mode) })
    }

    /// Opens `path` for writing; only for reading when that is asked for and its file system cannot be written.
    public convenience init(_ path: String, writableUnlessReadOnly acceptsReadOnly: Bool, adding flags: Int32 = 0) throws {
        do { try self.init(path, O_RDWR | flags) } catch let error as LinuxError where acceptsReadOnly && error.code == EROFS {
            try self.init(path, O_RDONLY | flags)
        }
    }

    deinit { close(raw) }

    /// Makes what was written to this file durable.
    public func sync() throws {
        CrashPoint.pass()
        try check("fsync", "descriptor \(raw)") { fsync(raw) }
    }

    /// Writes all of `bytes` at `offset`.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        CrashPoint.pass()
        var done = 0
        while done < bytes.count {
            done += try check("write", "descriptor \(raw)") {
                pwrite(raw, bytes.baseAddress.map { $0 + done }, bytes.count - done, Int(offset) + done)
            }
        }
    }

    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end of the file.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = try check("read", "descriptor \(raw)") {
                pread(raw, buffer.baseAddress.map { $0 + done }, buffer.count - done, Int(offset) + done)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }
}

/// Makes a rename or an unlink in `folder` durable.
public func syncFolder(_ folder: String) throws {
    let descriptor = try Descriptor(folder, O_RDONLY | O_DIRECTORY)
    CrashPoint.pass()
    try check("fsync", folder) { fsync(descriptor.raw) }
}
