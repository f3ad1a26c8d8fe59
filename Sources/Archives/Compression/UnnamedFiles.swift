import Glibc
import Linux

/// Files without a name for what is decompressed: they are gone when nobody reads them any more, however this process ends.
public struct UnnamedFiles: Sendable {
    /// On the file system that has the room.
    public let folder: String

    public init(folder: String) { self.folder = folder }

    // O_TMPFILE of linux/fcntl.h; a macro that Swift does not see.
    private static let temporary: Int32 = 0o20000000 | 0o200000

    public func make() throws -> Descriptor {
        do { return try Descriptor(folder, O_RDWR | Self.temporary) } catch let error as LinuxError where [EOPNOTSUPP, EISDIR].contains(error.code) {
            // A file system that has none.
            let path = "\(folder)/.unnamed-\(getpid())-\(UInt64.random(in: 0 ... .max))"
            let file = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL)
            try check("remove", path) { unlink(path) }
            return file
        }
    }

    /// Bytes that an archive leaves free on the file system that others use too.
    private static let reserve: UInt64 = 256 << 20

    func checkRoom(for archive: String) throws {
        var status = statvfs()
        try check("look at", folder) { statvfs(folder, &status) }
        if UInt64(status.f_bavail) * UInt64(status.f_frsize) < Self.reserve {
            throw ArchiveError(
                "noSpace", "\(archive) does not fit on the disk of \(folder)", cause: "less than \(Self.reserve >> 20) MiB would be left",
                fix: "`terrine gc` frees what nothing needs; or move TERRINE_HOME to a larger disk")
        }
    }
}
