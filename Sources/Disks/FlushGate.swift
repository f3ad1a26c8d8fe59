/// Lets one flush serve everybody who asked before it began.
final class FlushGate: Sendable {
    private let monitor = Monitor()
    // Guarded by `monitor`.
    private nonisolated(unsafe) var running = false
    private nonisolated(unsafe) var started: UInt64 = 0
    private nonisolated(unsafe) var done: UInt64 = 0

    /// Returns after a run of `flush` that began after this call did: the caller's own, or another's.
    ///
    /// When another's fails the caller makes its own attempt, and so gets its own error.
    func run(_ flush: () throws -> Void) throws {
        monitor.lock()
        let needed = started + 1
        while running {
            monitor.wait()
            if done >= needed {
                monitor.unlock()
                return
            }
        }
        running = true
        started += 1
        let mine = started
        monitor.unlock()
        defer {
            monitor.lock()
            running = false
            monitor.broadcast()
            monitor.unlock()
        }
        try flush()
        monitor.lock()
        done = mine
        monitor.unlock()
    }
}
