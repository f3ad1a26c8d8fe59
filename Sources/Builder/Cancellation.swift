import Synchronization

/// Ends builds from another thread, such as that of Ctrl-C: what runs is broken off, nothing begins any more.
public final class Cancellation: Sendable {
    private struct State: Sendable {
        var isCancelled = false
        /// By a number of their own: several builds may run side by side.
        var breakOffs: [Int: @Sendable () -> Void] = [:]
        var next = 0
    }
    private let state = Mutex(State())

    public init() {}

    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// - Returns: whether something ran that was broken off; if not, there is nothing to wait for.
    @discardableResult
    public func cancel() -> Bool {
        let breakOffs = state.withLock { state in
            state.isCancelled = true
            return Array(state.breakOffs.values)
        }
        for breakOff in breakOffs { breakOff() }
        return !breakOffs.isEmpty
    }

    /// - Throws: ``BuildError`` `cancelled` once it is.
    public func check() throws {
        if isCancelled { throw BuildError("cancelled", "the build was stopped", fix: "start it again: it goes on after the last finished step") }
    }

    /// Runs `body`; when it is cancelled meanwhile, `breakOff` is called from the cancelling thread, and the error is that of a stopped build.
    public func guarding<T>(_ breakOff: @escaping @Sendable () -> Void, _ body: () throws -> T) throws -> T {
        let number = try state.withLock { state in
            if state.isCancelled { throw BuildError("cancelled", "the build was stopped") }
            state.next += 1
            state.breakOffs[state.next] = breakOff
            return state.next
        }
        defer { _ = state.withLock { $0.breakOffs.removeValue(forKey: number) } }
        do {
            let result = try body()
            try check()
            return result
        } catch {
            // Whatever fails while a machine is taken away fails because of that.
            try check()
            throw error
        }
    }
}
