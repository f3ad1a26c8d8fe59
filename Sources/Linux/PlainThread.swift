import Glibc
import Synchronization

/// A kernel thread that runs one function, for loops that block in system calls and must stay off the cooperative pool.
public final class PlainThread: Sendable {
    private enum State { case running, ended, joined }
    private let shared: Shared
    private let handle: pthread_t

    /// What the thread and its owner both look at. The function is the thread's alone, or an owner that it captures would never go.
    private final class Shared: Sendable {
        /// Whether the thread's handle still names it. It cannot end while this is held.
        let state = Mutex(State.running)
    }
    private final class Work {
        let body: @Sendable () -> Void
        let shared: Shared
        init(_ body: @escaping @Sendable () -> Void, _ shared: Shared) { (self.body, self.shared) = (body, shared) }
    }

    /// Starts the thread; it runs on when this object is gone.
    public init(_ body: @escaping @Sendable () -> Void) throws {
        shared = Shared()
        var handle = pthread_t()
        let box = Unmanaged.passRetained(Work(body, shared))
        let code = pthread_create(
            &handle, nil,
            { raw in
                guard let raw else { return nil }
                let shared = PlainThread.work(raw)
                shared.state.withLock { $0 = .ended }
                return nil
            }, box.toOpaque())
        if code != 0 {
            box.release()
            throw LinuxError("start", "a thread", code: code)
        }
        self.handle = handle
    }

    /// Runs the function, and lets it go before anyone hears that it has ended.
    private static func work(_ raw: UnsafeMutableRawPointer) -> Shared {
        // A thread inherits what its maker blocks, and the threads of a dispatch pool block nearly everything.
        var interruption = sigset_t()
        sigemptyset(&interruption)
        sigaddset(&interruption, SIGURG)
        pthread_sigmask(SIG_UNBLOCK, &interruption, nil)
        let work = Unmanaged<Work>.fromOpaque(raw).takeRetainedValue()
        work.body()
        return work.shared
    }

    /// Whether the function has returned.
    public var hasEnded: Bool { shared.state.withLock { $0 != .running } }

    /// Breaks off a system call that the thread blocks in. It may be about to block: repeat until it has ended.
    public func interrupt() {
        Self.prepareToInterrupt
        shared.state.withLock { if $0 == .running { pthread_kill(handle, SIGURG) } }
    }

    /// Waits for the function to return.
    public func join() {
        joining.withLock { joined in
            if joined { return }
            pthread_join(handle, nil)
            shared.state.withLock { $0 = .joined }
            joined = true
        }
    }
    private let joining = Mutex(false)

    deinit { if !joining.withLock({ $0 }) { pthread_detach(handle) } }

    /// SIGURG, which is ignored by default and used by nobody, with a handler that does nothing and without SA_RESTART: system calls return EINTR.
    private static let prepareToInterrupt: Void = {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(SIGURG, &action, nil)
    }()
}
