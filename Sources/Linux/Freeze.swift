import CLinux
import Glibc

/// A mounted file system, by any folder on it.
///
/// Every call blocks until the device below has answered: the process that serves that device must never make one.
public struct FileSystem: Sendable {
    private let folder: Descriptor
    private let path: String

    public init(at path: String) throws {
        self.path = path
        folder = try Descriptor(path, O_RDONLY | O_DIRECTORY)
    }

    private static let freezeRequest: UInt = 0xC004_5877  // FIFREEZE, _IOWR('X', 119, int)
    private static let thawRequest: UInt = 0xC004_5878  // FITHAW, _IOWR('X', 120, int)
    private static let trimRequest: UInt = 0xC018_5879  // FITRIM, _IOWR('X', 121, struct fstrim_range)

    /// Writes everything that is dirty.
    public func sync() throws { try check("sync", path) { clinux_syscall6(Int(SYS_syncfs), Int(folder.raw), 0, 0, 0, 0, 0) } }

    /// Stops all writing with the file system clean on its device.
    public func freeze() throws {
        CrashPoint.pass()
        try check("freeze", path) { clinux_ioctl_int(folder.raw, Self.freezeRequest, 0) }
    }

    /// Ends a freeze; false when it was not frozen.
    @discardableResult
    public func thaw() throws -> Bool {
        CrashPoint.pass()
        if clinux_ioctl_int(folder.raw, Self.thawRequest, 0) == 0 { return true }
        if errno == EINVAL { return false }
        throw LinuxError("thaw", path)
    }

    /// Gives up all that is dirty, and everything that comes later: for a file system that nobody needs any more. Only unmounting it is left.
    ///
    /// Source: the kernel's FS_IOC_SHUTDOWN, `_IOR('X', 125, __u32)`, without writing the journal.
    public func abandon() throws {
        let request: UInt = 0x8004_587D
        var withoutLog: UInt32 = 2
        try check("abandon", path) { withUnsafeMutablePointer(to: &withoutLog) { clinux_ioctl(folder.raw, request, $0) } }
    }

    /// Tells the device which blocks hold nothing any more.
    public func trim() throws {
        var range = fstrim_range(start: 0, len: UInt64.max, minlen: 0)
        try check("trim", path) { withUnsafeMutablePointer(to: &range) { clinux_ioctl(folder.raw, Self.trimRequest, $0) } }
    }

    /// Grows a mounted ext4 to `blocks` of its own blocks.
    public func resizeExt4(toBlocks blocks: UInt64) throws {
        var blocks = blocks
        let request: UInt = 0x4008_6610  // EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64)
        try check("grow", path) { withUnsafeMutablePointer(to: &blocks) { clinux_ioctl(folder.raw, request, $0) } }
    }
}
