import Foundation
import Synchronization

/// One number for each core that may be used.
func allCores() -> Range<Int> { 0..<max(1, ProcessInfo.processInfo.activeProcessorCount) }

/// Calls `body` for 0..<count on `threads` threads, each of which takes the next that nobody has.
func spread(_ count: Int, _ threads: Int, _ body: @Sendable (_ index: Int, _ thread: Int) -> Void) {
    let next = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: min(threads, count)) { thread in
        while true {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            if index >= count { return }
            body(index, thread)
        }
    }
}

/// Results by index.
///
/// Unchecked: each is written by one thread, and read when all have ended.
final class Results<Value>: @unchecked Sendable {
    private let memory: UnsafeMutableBufferPointer<Value>

    init(count: Int, _ initial: Value) {
        memory = .allocate(capacity: count)
        memory.initialize(repeating: initial)
    }

    deinit {
        memory.deinitialize()
        memory.deallocate()
    }

    subscript(index: Int) -> Value {
        get { memory[index] }
        set { memory[index] = newValue }
    }

    var values: [Value] { Array(memory) }
}
