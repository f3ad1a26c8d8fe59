import Synchronization

/// Takes what a task comes to out of it, to a thread that waits.
final class ResultBox<T: Sendable>: Sendable {
    private let result = Mutex<Result<T, any Error>?>(nil)

    func set(_ new: Result<T, any Error>) { result.withLock { $0 = new } }

    /// Once it was set.
    func take() -> Result<T, any Error> { result.withLock { $0 } ?? .failure(CancellationError()) }
}
