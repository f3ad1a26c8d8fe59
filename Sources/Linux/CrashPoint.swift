import Glibc
import Synchronization

/// The places at which a process may die and leave something behind: right before it changes a file or makes a change durable, and around a freeze.
///
/// With `TERRINE_CRASH_AT=N` in the environment the process is killed at the N-th of them, so that a test can stop an operation at every one in turn.
/// With `TERRINE_CRASH_PLAN=FILE` the processes of one role are, and only once a test wants it: while FILE holds `ROLE N`, the N-th place that a process
/// of that role passes from then on is its last, and FILE goes with it. Without either, a place costs one look at a number that does not change.
public enum CrashPoint {
    /// What a process of a machine is there for.
    public enum Role: String, Sendable {
        case command, keeper, supervisor, packer
    }

    /// How many places are still to be passed; 0: the mode is off; less: a plan says.
    private static let left: Atomic<Int> = {
        if getenv("TERRINE_CRASH_PLAN") != nil { return Atomic(-1) }
        guard let text = getenv("TERRINE_CRASH_AT"), let count = Int(String(cString: text)), count > 0 else { return Atomic(0) }
        return Atomic(count)
    }()

    private static let role = Mutex(Role.command)

    /// Called by a process as it begins to be something else than a command.
    public static func play(_ new: Role) { role.withLock { $0 = new } }

    /// Called right before a write, a rename, an unlink, a sync, a freeze or a thaw.
    @inline(__always)
    public static func pass() {
        let left = left.load(ordering: .relaxed)
        if left > 0 { countDown() } else if left < 0 { followPlan() }
    }

    private static func countDown() {
        if left.subtract(1, ordering: .relaxed).newValue == 0 { kill(getpid(), SIGKILL) }
    }

    private static func followPlan() {
        guard let path = getenv("TERRINE_CRASH_PLAN") else { return }
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        flock(file, LOCK_EX)
        var bytes = [UInt8](repeating: 0, count: 64)
        let length = max(0, read(file, &bytes, bytes.count))
        let words = String(decoding: bytes.prefix(length), as: UTF8.self).split(separator: " ")
        guard words.count == 2, words[0] == role.withLock({ $0.rawValue }), let count = Int(words[1]) else { return }
        if count <= 1 {
            unlink(path)
            kill(getpid(), SIGKILL)
        }
        let next = Array("\(words[0]) \(count - 1)".utf8)
        ftruncate(file, 0)
        pwrite(file, next, next.count, 0)
    }
}

/// Renames a file on the same file system; the error names `target`.
public func renameFile(_ path: String, to target: String) throws {
    CrashPoint.pass()
    try check("rename to", target) { rename(path, target) }
}

/// Removes a file's name.
///
/// - Returns: 0, or -1 with the reason in `errno`.
@discardableResult
public func removeName(_ path: String) -> Int32 {
    CrashPoint.pass()
    return unlink(path)
}
