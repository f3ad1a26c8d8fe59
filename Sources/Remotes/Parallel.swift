import Linux
import Synchronization

/// Calls `body` with each of `items` on a few threads of its own, which wait for the network. The first error ends it, when those that run have ended.
func inParallel<Item: Sendable>(_ items: [Item], threads: Int = 4, _ body: @escaping @Sendable (Item) throws -> Void) throws {
    let next = Atomic(0)
    let failure = Mutex<(any Error)?>(nil)
    let all = try (0..<min(threads, items.count)).map { _ in
        try PlainThread {
            while failure.withLock({ $0 == nil }) {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                if index >= items.count { return }
                do { try body(items[index]) } catch { failure.withLock { if $0 == nil { $0 = error } } }
            }
        }
    }
    for thread in all { thread.join() }
    if let error = failure.withLock({ $0 }) { throw error }
}
