import Foundation
import Linux

/// Several builds at a time, each on a thread of its own, no more of them than `width`.
///
/// What they have in common is made once: a step that one of them makes is waited for by the others. One that fails does not stop the rest.
public final class SideBySide<Value: Sendable>: Sendable {
    public typealias Body = @Sendable (_ index: Int, _ all: SideBySide<Value>) throws -> Value

    private struct State {
        /// The first that nobody has begun.
        var next = 0
        /// How many more may work now.
        var free = 0
        var results: [Int: Result<Value, any Error>] = [:]
        /// Those that wait for others, or have.
        var met: Set<Int> = []
        var threads: [PlainThread] = []
    }

    private let count: Int
    private let body: Body
    private let condition = NSCondition()
    /// Touched only with the condition's lock held.
    nonisolated(unsafe) private var state = State()

    /// - Parameter body: called for each number below `count`, from several threads.
    public init(_ count: Int, _ body: @escaping Body) { (self.count, self.body) = (count, body) }

    /// Runs all of them, and waits.
    ///
    /// - Returns: what came of each, in order.
    public func run(width: Int) -> [Result<Value, any Error>] {
        let width = max(1, min(width, count))
        condition.withLock { state.free = width }
        // A thread that cannot be had leaves its work to the others; this one works too.
        for _ in 1..<width { _ = addThread() }
        work()
        while let thread = condition.withLock({ state.threads.popLast() }) { thread.join() }
        return condition.withLock { (0..<count).compactMap { state.results[$0] } }
    }

    /// Waits in the middle of a body until each of `others` has come to this call too, or has ended. Others work meanwhile.
    ///
    /// - Parameter index: the body's own number.
    public func meet(_ index: Int, _ others: Set<Int>) {
        // Without another thread those that have not begun never would.
        guard addThread() else { return }
        condition.withLock {
            state.met.insert(index)
            state.free += 1
            condition.broadcast()
            while state.free == 0 || !others.allSatisfy({ state.met.contains($0) || state.results[$0] != nil }) { condition.wait() }
            state.free -= 1
        }
    }

    private func addThread() -> Bool {
        condition.withLock {
            // The caller of `run` does the work of one that cannot be had.
            guard state.next < count else { return true }
            guard let thread = try? PlainThread({ self.work() }) else { return false }
            state.threads.append(thread)
            return true
        }
    }

    private func work() {
        while let index = begin() {
            let result = Result { try body(index, self) }
            condition.withLock {
                state.results[index] = result
                state.free += 1
                condition.broadcast()
            }
        }
    }

    /// The next to work on, once one more may work; nil when all have been begun.
    private func begin() -> Int? {
        condition.withLock {
            while state.next < count {
                if state.free > 0 {
                    (state.free, state.next) = (state.free - 1, state.next + 1)
                    return state.next - 1
                }
                condition.wait()
            }
            return nil
        }
    }
}
