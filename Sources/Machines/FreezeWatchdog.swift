import Glibc
import Linux
import Synchronization

/// Lets a frozen file system go on, whatever happens to the one who froze it.
final class FreezeWatchdog: Sendable {
    private struct State {
        var ended = false
        var expired = false
    }
    private let fileSystem: FileSystem
    private let state = Mutex(State())

    /// - Parameter limit: seconds after which the file system is thawed if ``thaw()`` was not called.
    init(fileSystem: FileSystem, limit: Int) throws {
        self.fileSystem = fileSystem
        _ = try PlainThread { [self] in
            for _ in 0..<limit * 100 {
                if state.withLock({ $0.ended }) { return }
                usleep(10_000)
            }
            state.withLock { state in
                if state.ended { return }
                state = State(ended: true, expired: true)
                release()
            }
        }
    }

    /// Whether the limit came first.
    var expired: Bool { state.withLock { $0.expired } }

    func thaw() {
        state.withLock { state in
            if state.ended { return }
            state.ended = true
            release()
        }
    }

    private func release() {
        do { try fileSystem.thaw() } catch { Keeper.log("\(error)") }
    }
}

/// Runs `body`, which freezes or thaws, without the 20 to 50 ms that the kernel takes to notice that no writer is left.
///
/// The switch is the whole kernel's and harmless: its RCU grace periods end early, at the price of interrupts on all cores.
func withExpeditedGracePeriods<T>(_ body: () throws -> T) rethrows -> T {
    let path = "/sys/kernel/rcu_expedited"
    let old = (readSmallFile(path) ?? "1").filter(\.isNumber)
    // Where it cannot be switched the freeze is slower, and no less right.
    if old == "0" { _ = try? writeSmallFile(path, "1") }
    defer { if old == "0" { _ = try? writeSmallFile(path, "0") } }
    return try body()
}
