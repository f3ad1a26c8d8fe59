import Builder
import Foundation
import Synchronization
import Testing

@Suite("Builds side by side")
struct SideBySideTests {
    private struct Failed: Error {}

    @Test("those that meet have all come before any goes on, with fewer threads than builds, and no more work than wished")
    func meeting() {
        let log = Mutex<[String]>([])
        let working = Mutex((now: 0, most: 0))
        let queue = SideBySide<Int>(8) { index, all in
            working.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            usleep(2000)
            log.withLock { $0.append("before") }
            working.withLock { $0.now -= 1 }
            all.meet(index, Set(0..<8))
            working.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            log.withLock { $0.append("after") }
            usleep(2000)
            working.withLock { $0.now -= 1 }
            return index
        }
        let results = queue.run(width: 2).map { try? $0.get() }
        #expect(results == (0..<8).map { $0 })
        #expect(log.withLock { $0 } == Array(repeating: "before", count: 8) + Array(repeating: "after", count: 8))
        #expect(working.withLock { $0.most } == 2)
    }

    @Test("one that fails is not waited for, and those that meet others are not either")
    func failing() {
        let queue = SideBySide<Int>(5) { index, all in
            if index == 3 { throw Failed() }
            if index < 4 { all.meet(index, [0, 1, 2, 3]) }
            return index
        }
        let results = queue.run(width: 1).map { try? $0.get() }
        #expect(results == [0, 1, 2, nil, 4])
        #expect(SideBySide<Int>(0) { index, _ in index }.run(width: 4).isEmpty)
    }
}
