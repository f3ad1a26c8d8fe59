import Linux
import Synchronization

/// Several builds at a time, each on a thread of its own, no more of them than `width`.
///
/// What they have in common is made once: a step that one of them makes is waited for by the others. One that fails does not stop the rest.
public final class SideBySide<Value: Sendable>: Sendable {
    private let count: Int
    private let body: @Sendable (Int) throws -> Value
    private let next = Atomic<Int>(0)
    private let results = Mutex<[Int: Result<Value, any Error>]>([:])

    /// - Parameter body: called for each number below `count`, from several threads.
    public init(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Value) { (self.count, self.body) = (count, body) }

    /// Runs all of them, and waits.
    ///
    /// - Returns: what came of each, in order.
    public func run(width: Int) -> [Result<Value, any Error>] {
        // A thread that cannot be had leaves its work to the others; this one works too.
        let threads = (1..<max(1, min(width, count))).compactMap { _ in try? PlainThread { self.work() } }
        if count > 0 { work() }
        for thread in threads { thread.join() }
        let done = results.withLock { $0 }
        return (0..<count).compactMap { done[$0] }
    }

    private func work() {
        while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            if index >= count { return }
            let result = Result { try body(index) }
            results.withLock { $0[index] = result }
        }
    }
}
