import Glibc
import Synchronization

/// The places at which a process may die and leave something behind: right before it changes a file or makes a change durable.
///
/// With `TERRINE_CRASH_AT=N` in the environment the process is killed at the N-th of them, so that a test can stop an operation at every one in turn.
/// Without it, a place costs one look at a number that does not change.
public enum CrashPoint {
    /// How many places are still to be passed; 0: the mode is off.
    private static let left: Atomic<Int> = {
        guard let text = getenv("TERRINE_CRASH_AT"), let count = Int(String(cString: text)), count > 0 else { return Atomic(0) }
        return Atomic(count)
    }()

    /// Called right before a write, a rename, an unlink or a sync.
    @inline(__always)
    public static func pass() {
        if left.load(ordering: .relaxed) > 0 { countDown() }
    }

    private static func countDown() {
        if left.subtract(1, ordering: .relaxed).newValue == 0 { kill(getpid(), SIGKILL) }
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
