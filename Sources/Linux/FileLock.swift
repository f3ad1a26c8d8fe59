import CLinux
import Glibc

/// An advisory lock on a file (`flock`), let go when the last reference goes or the process dies.
public final class FileLock: Sendable {
    private let file: Descriptor

    /// Waits for the lock; the file is made when it is not there.
    public init(_ path: String, shared: Bool = false) throws {
        let (file, isReadOnly) = try Self.open(path)
        self.file = file
        try check("lock", path) { flock(file.raw, shared || isReadOnly ? LOCK_SH : LOCK_EX) }
    }

    /// Takes the lock if nobody else has it.
    public init?(ifFree path: String) throws {
        let (file, isReadOnly) = try Self.open(path)
        self.file = file
        if flock(file.raw, (isReadOnly ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
            if errno == EWOULDBLOCK { return nil }
            throw LinuxError("lock", path)
        }
    }

    /// Where nobody can write, all who look share what is there: the file, or else its folder.
    private static func open(_ path: String) throws -> (Descriptor, isReadOnly: Bool) {
        do { return (try Descriptor(path, O_RDWR | O_CREAT), false) } catch let error as LinuxError where error.code == EROFS {
            if access(path, F_OK) == 0 { return (try Descriptor(path, O_RDONLY), true) }
            return (try Descriptor(path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }, O_RDONLY | O_DIRECTORY), true)
        }
    }

    /// The descriptor that holds the lock: a child that inherits it holds it too.
    public var descriptor: Descriptor { file }
}
