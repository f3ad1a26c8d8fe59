import CLinux
import Glibc
import Linux

/// The data file of an overlay: sparse, each block at its place on the disk.
///
/// Small writes go through the page cache, which gathers them. Large ones are what a guest's kernel writes back, of which it has a copy itself: they go past
/// the page cache, where the file system can do that and the file is to be durable at all. Reads go through it, for its reading ahead. The kernel keeps both
/// in step.
final class OverlayData: Sendable {
    let path: String
    private let file: Descriptor
    /// The same file for writes past the page cache.
    private let direct: Descriptor?

    /// The least bytes of a large write.
    private static let large = 128 << 10

    /// - Parameter bypassing: whether large writes are to go past the page cache.
    init(_ file: Descriptor, path: String, bypassing: Bool) {
        self.path = path
        self.file = file
        // A file system without direct I/O, as old tmpfs, does with the page cache.
        direct = bypassing ? try? Descriptor("/proc/self/fd/\(file.raw)", writableUnlessReadOnly: true, adding: Self.directFlag) : nil
    }

    // O_DIRECT, which Glibc does not hand to Swift where its value depends on the architecture.
    #if arch(arm64)
        private static let directFlag: Int32 = 0o200000
    #else
        private static let directFlag: Int32 = 0o40000
    #endif

    /// Where whole blocks from aligned memory may go past the page cache.
    private func bypass(_ address: UnsafeRawPointer, _ count: Int, _ offset: Int64) -> Descriptor? {
        guard count >= Self.large, (UInt(bitPattern: address) | UInt(count) | UInt(offset)) & UInt(DiskUnit.block - 1) == 0 else { return nil }
        return direct
    }

    /// Fills the buffer; what it asks for was written.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        guard let base = buffer.baseAddress else { return }
        var done = 0
        while done < buffer.count {
            let count = try check("read", path) { pread(file.raw, base + done, buffer.count - done, off_t(offset) + done) }
            if count == 0 {
                throw DiskError(
                    "corrupt", "\(path) ends before block \((offset + Int64(done)) >> DiskUnit.blockShift)", fix: "go back to the last checkpoint")
            }
            done += count
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        if let direct = bypass(base, bytes.count, offset) {
            while done < bytes.count {
                CrashPoint.pass()
                let count = pwrite(direct.raw, base + done, bytes.count - done, off_t(offset) + done)
                guard count > 0, count % DiskUnit.block == 0 else { break }
                done += count
            }
        }
        while done < bytes.count {
            CrashPoint.pass()
            done += try check("write", path) { pwrite(file.raw, base + done, bytes.count - done, off_t(offset) + done) }
        }
    }

    /// Lets the kernel begin to read a range into the page cache. Only a hint: whatever is wrong is found by whoever reads.
    func prefetch(at offset: Int64, _ count: Int64) { _ = posix_fadvise(file.raw, off_t(offset), off_t(count), POSIX_FADV_WILLNEED) }

    /// Gives back what a range takes.
    func punch(at offset: Int64, _ count: Int64) throws {
        let keepSizePunchHole = 1 | 2
        do {
            try check("punch a hole in", path) { clinux_syscall6(Int(SYS_fallocate), Int(file.raw), keepSizePunchHole, Int(offset), Int(count), 0, 0) }
        } catch {
            // A filesystem without holes keeps the bytes; the state alone says what is read.
            if error.code != EOPNOTSUPP { throw error }
        }
    }

    func sync() throws(LinuxError) {
        CrashPoint.pass()
        try check("sync", path) { fdatasync(file.raw) }
    }
}
