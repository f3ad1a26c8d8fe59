import Foundation
import Linux

/// A thread that works on what it is given, in that order, while its giver prepares more. After a failure it works on nothing more.
///
/// Unchecked: what is shared is guarded by the condition.
final class Stage<Item>: @unchecked Sendable {
    private let condition = NSCondition()
    private let capacity: Int
    private var waiting: [Item] = []
    private var isWorking = false
    private var isStopped = false
    private var failure: (any Error)?
    private var thread: PlainThread?

    /// - Parameter capacity: how much may wait.
    init(capacity: Int, _ work: @escaping (Item) throws -> Void) throws {
        self.capacity = capacity
        // Unchecked: one thread calls it.
        nonisolated(unsafe) let work = work
        thread = try PlainThread { [self] in run(work) }
    }

    private func run(_ work: (Item) throws -> Void) {
        condition.lock()
        defer { condition.unlock() }
        while true {
            while waiting.isEmpty, !isStopped { condition.wait() }
            if isStopped { return }
            let item = waiting.removeFirst()
            isWorking = true
            condition.broadcast()
            condition.unlock()
            let result = Result { try work(item) }
            condition.lock()
            isWorking = false
            if case .failure(let error) = result {
                failure = error
                waiting = []
            }
            condition.broadcast()
        }
    }

    /// Waits until there is room for it. Throws what an earlier item failed with.
    func give(_ item: Item) throws {
        condition.lock()
        defer { condition.unlock() }
        while waiting.count >= capacity, failure == nil { condition.wait() }
        if let failure { throw failure }
        waiting.append(item)
        condition.broadcast()
    }

    /// Waits until all is done. Throws what an item failed with.
    func drain() throws {
        condition.lock()
        defer { condition.unlock() }
        while isWorking || !waiting.isEmpty { condition.wait() }
        if let failure { throw failure }
    }

    /// Ends the thread after the item that it works on.
    func stop() {
        condition.withLock {
            isStopped = true
            condition.broadcast()
        }
        thread?.join()
        thread = nil
    }
}
