import Glibc
import Synchronization
import Testing

@testable import Linux

@Suite("Threads and processes")
struct ThreadTests {
    @Test("a thread that blocks in a call is interrupted, joined once and by many")
    func thread() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (input, output) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        let shared = SharedCode()
        let thread = try PlainThread {
            var byte: UInt8 = 0
            if read(input.raw, &byte, 1) < 0 { shared.code.store(errno, ordering: .releasing) }
        }
        while !thread.hasEnded {
            thread.interrupt()
            usleep(1000)
        }
        thread.join()
        thread.join()
        thread.interrupt()
        #expect(shared.code.load(ordering: .acquiring) == EINTR)
        withExtendedLifetime(output) {}
    }

    final class SharedCode: Sendable { let code = Atomic<Int32>(0) }

    @Test("a held process is signalled until it ends, and no other after it")
    func pidfd() throws {
        let pid = try Command("sleep", ["60"]).start()
        let held = try Pidfd(of: pid)
        #expect(try !held.waitForEnd(milliseconds: 10))
        #expect(try held.signal(SIGTERM))
        #expect(try held.waitForEnd(milliseconds: 10000))
        #expect(try waitForExit(of: pid) == .signalled(SIGTERM))
        #expect(try !held.signal(SIGTERM))
        #expect(throws: LinuxError.self) { try Pidfd(of: pid) }
    }
}
