import Linux
import Synchronization

/// Work on a thread of its own, whose error is thrown where its end is awaited.
final class SideWork: Sendable {
    private let thread: PlainThread
    private let failure: Failure

    private final class Failure: Sendable {
        let error = Mutex<(any Error)?>(nil)
    }

    init(_ body: @escaping @Sendable () throws -> Void) throws {
        let failure = Failure()
        self.failure = failure
        thread = try PlainThread {
            do { try body() } catch { failure.error.withLock { $0 = error } }
        }
    }

    /// Waits for the end.
    func finish() throws {
        thread.join()
        if let error = failure.error.withLock({ $0 }) { throw error }
    }

    /// Waits for the end, when another error is already on its way.
    func abandon() { thread.join() }
}
