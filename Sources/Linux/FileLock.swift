import CLinux
import Glibc

/// An advisory lock on a file (`flock`), let go when the last reference goes or the process dies.
public final class FileLock: Sendable {
    private let file: Descriptor

    /// Waits for the lock; the file is made when it is not there.
    public init(_ path: String, shared: Bool = false) throws {
        file = try Descriptor(path, O_RDWR | O_CREAT)
        try check("lock", path) { flock(file.raw, shared ? LOCK_SH : LOCK_EX) }
    }

    /// Takes the lock if nobody else has it.
    public init?(ifFree path: String) throws {
        file = try Descriptor(path, O_RDWR | O_CREAT)
        if flock(file.raw, LOCK_EX | LOCK_NB) != 0 {
            if errno == EWOULDBLOCK { return nil }
            throw LinuxError("lock", path)
        }
    }

    /// The descriptor that holds the lock: a child that inherits it holds it too.
    public var descriptor: Descriptor { file }
}
