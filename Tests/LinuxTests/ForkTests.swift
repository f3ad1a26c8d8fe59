import Glibc
import Synchronization
import Testing

@testable import Linux

@Suite("Forked processes") struct ForkTests {
    private final class Counter: Sendable { let value = Mutex(0) }

    @Test("threads of a forked process wait for each other's locks, and get them", .timeLimit(.minutes(1)))
    func locks() throws {
        let mine = Counter()
        // From here on this thread knows its id, and so would the child's first one.
        mine.value.withLock { $0 += 1 }
        let pid = try forkChild {
            let code = try? inOwnThread {
                let shared = Counter()
                func count() {
                    for _ in 0..<200 {
                        shared.value.withLock {
                            $0 += 1
                            usleep(100)
                        }
                    }
                }
                guard
                    let other = try? PlainThread({
                        for _ in 0..<200 {
                            shared.value.withLock {
                                $0 += 1
                                usleep(100)
                            }
                        }
                    })
                else { return 2 }
                count()
                other.join()
                return shared.value.withLock { $0 } == 400 ? 0 : 3
            }
            return code ?? 4
        }
        let hasEnded = try Pidfd(of: pid).waitForEnd(milliseconds: 30_000)
        if !hasEnded { kill(pid, SIGKILL) }
        #expect(try waitForExit(of: pid) == .exited(0))
    }
}
