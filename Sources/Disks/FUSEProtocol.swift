import CLinux

/// The part of the FUSE wire protocol (`linux/fuse.h`, 7.36 and up) that a file system of one file needs.
///
/// A takeover hands a connection from one version of terrine to the next, and the kernel never says INIT again: `maximumWrite`, node numbers
/// and file handles may never change in a way that an older server's kernel side would notice.
enum FUSEProtocol {
    static let rootNode: UInt64 = 1
    static let diskNode: UInt64 = 2
    /// The largest request: 256 pages, the kernel's own limit.
    static let maximumWrite = 1 << 20
    /// Sizes of `fuse_in_header` and `fuse_write_in`: where the data of a WRITE begins.
    static let headerSize = MemoryLayout<fuse_in_header>.size
    static let writePrefix = MemoryLayout<fuse_in_header>.size + MemoryLayout<fuse_write_in>.size
    static let answerHeaderSize = MemoryLayout<fuse_out_header>.size

    // Newer than Debian 12's linux/fuse.h.
    static let hasResend: UInt64 = 1 << 39
    static let notifyResend: Int32 = 7

    static let requiredFlags: UInt64 = 1 << 22 | 1 << 30  // FUSE_MAX_PAGES, FUSE_INIT_EXT
    /// FUSE_ASYNC_READ, FUSE_BIG_WRITES, FUSE_ASYNC_DIO, FUSE_PARALLEL_DIROPS and the above. No writeback cache: what the kernel has taken, we have.
    static let wantedFlags: UInt64 = requiredFlags | 1 << 0 | 1 << 5 | 1 << 15 | 1 << 18 | hasResend
    /// FOPEN_DIRECT_IO and FOPEN_PARALLEL_DIRECT_WRITES: the page cache above the loop device is the only one.
    static let openFlags: UInt32 = 1 << 0 | 1 << 6

    /// `FALLOC_FL_…` as FALLOCATE carries them.
    static let keepSize: UInt32 = 1
    static let punchHole: UInt32 = 2
    static let zeroRange: UInt32 = 16
}

/// Requests that are answered with more than ENOSYS, which tells the kernel not to ask again.
enum FUSEOperation: UInt32 {
    case lookup = 1
    case forget = 2
    case getAttributes = 3
    case setAttributes = 4
    case symlink = 6
    case makeNode = 8
    case makeFolder = 9
    case unlink = 10
    case removeFolder = 11
    case rename = 12
    case link = 13
    case open = 14
    case read = 15
    case write = 16
    case statFileSystem = 17
    case release = 18
    case sync = 20
    case initialize = 26
    case openFolder = 27
    case readFolder = 28
    case releaseFolder = 29
    case create = 35
    case destroy = 38
    case batchForget = 42
    case allocate = 43
    case rename2 = 45
}
