import Remotes
import Synchronization

/// Tells of a transfer that takes long, every few seconds.
final class TransferNotes: Sendable {
    private static let every: Duration = .seconds(5)
    private let reporter: any BuildReporter
    private let what: String
    private let last = Mutex(ContinuousClock.now)

    /// - Parameter what: such as `fetching cached steps from HOST/PATH`.
    init(_ reporter: any BuildReporter, _ what: String) { (self.reporter, self.what) = (reporter, what) }

    func tell(_ progress: TransferProgress) {
        let isDue = last.withLock { last in
            let now = ContinuousClock.now
            if now - last < Self.every { return false }
            last = now
            return true
        }
        if isDue { reporter.report(.note("\(what): \(max(0, progress.done)) of \(progress.total) bytes, \(max(0, progress.left)) left")) }
    }
}
