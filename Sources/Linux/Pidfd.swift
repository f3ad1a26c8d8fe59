import CLinux
import Glibc

/// A process held by a descriptor: a signal can never reach another that was given the same id.
public struct Pidfd: Sendable {
    public let descriptor: Descriptor

    /// Holds process `pid`, which must be a child, or known by its ``ProcessIdentity`` to be the one that is meant.
    public init(of pid: Int32) throws {
        let raw = try check("hold", "process \(pid)") { clinux_syscall6(Int(SYS_pidfd_open), Int(pid), 0, 0, 0, 0, 0) }
        descriptor = Descriptor(owning: Int32(raw))
    }

    /// Sends a signal; false when the process has ended.
    @discardableResult
    public func signal(_ number: Int32) throws -> Bool {
        if clinux_syscall6(Int(SYS_pidfd_send_signal), Int(descriptor.raw), Int(number), 0, 0, 0, 0) == 0 { return true }
        if errno == ESRCH { return false }
        throw LinuxError("signal", "a process")
    }

    /// Waits for the process to end; false when it still runs after `milliseconds` (-1: without limit).
    ///
    /// A child must still be waited for.
    public func waitForEnd(milliseconds: Int32 = -1) throws -> Bool {
        var poller = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        return try check("wait for", "a process") { poll(&poller, 1, milliseconds) } == 1
    }
}
