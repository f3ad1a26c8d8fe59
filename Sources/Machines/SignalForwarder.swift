import Glibc
import Synchronization

/// Passes signals on to a child while it runs, instead of dying by them.
///
/// A terminal's own (Ctrl-C) reach the child by themselves and are not passed on twice. One at a time in a process: signals are the process's.
final class SignalForwarder {
    private static let numbers = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH]
    private var old: [(number: Int32, action: sigaction)] = []

    /// From now on signals wait for the child.
    init() {
        target.store(0, ordering: .releasing)
        pending.store(0, ordering: .releasing)
        var action = sigaction()
        action.__sigaction_handler.sa_sigaction = { number, information, _ in
            // SI_KERNEL: the terminal's, which the child has got as well.
            if let information, information.pointee.si_code == 0x80 { return }
            let child = target.load(ordering: .acquiring)
            // What comes before there is a child is passed on when there is; of several, the last.
            if child > 0 { kill(child, number) } else { pending.store(number, ordering: .releasing) }
        }
        action.sa_flags = Int32(SA_SIGINFO) | Int32(SA_RESTART)
        for number in Self.numbers {
            var before = sigaction()
            sigaction(number, &action, &before)
            old.append((number, before))
        }
    }

    func forward(to pid: pid_t) {
        target.store(pid, ordering: .releasing)
        let early = pending.exchange(0, ordering: .acquiringAndReleasing)
        if early > 0 { kill(pid, early) }
    }

    /// Signals do again what they did before. The child has ended.
    func end() {
        target.store(0, ordering: .releasing)
        for (number, action) in old {
            var action = action
            sigaction(number, &action, nil)
        }
        old = []
    }
}

// Global, since a signal's handler knows nothing else.
private let target = Atomic<Int32>(0)
private let pending = Atomic<Int32>(0)
