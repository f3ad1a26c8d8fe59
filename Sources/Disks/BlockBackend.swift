/// What a FUSE export serves: a disk of bytes that many threads read and write at once.
///
/// Every implementation guarantees that a call returns only when it has taken effect for all later calls, whichever thread makes them, and that a
/// write, a discard or zeroes may be **repeated**: after a takeover the kernel sends again what was not answered. Only ``flush()`` makes what
/// returned before it durable. No call may do I/O on the export itself, and none on the way of a write should allocate much: the kernel may be
/// writing to win back memory.
///
/// A thrown `LinuxError` goes to the reader as its code, anything else as EIO.
public protocol BlockBackend: Sendable {
    /// Size in bytes; it may grow while the export runs, and never shrinks.
    var size: Int64 { get }
    /// Fills all of `buffer`; the range lies within ``size``.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws
    /// Writes all of `bytes`; the range lies within ``size``. The memory is the caller's again when this returns.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws
    /// Makes durable what was written before.
    func flush() throws
    /// Drops what the range holds: it reads as zeroes from now on. Any alignment.
    func discard(at offset: Int64, length: Int64) throws
    /// As ``discard(at:length:)``, but the caller would like the space to stay reserved.
    func writeZeroes(at offset: Int64, length: Int64) throws
}
