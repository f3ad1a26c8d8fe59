import Foundation
import Glibc
import Linux
import Synchronization

/// The keeper's hold on its supervisor: starts it, starts the next one when it dies, and passes requests on.
///
/// The stack changes here, and in the machine's file, *before* the supervisor is told: a supervisor that died in between leaves the next one to
/// open what is written, which is the same.
final class DiskServer: Sendable {
    private struct Process {
        var pid: pid_t
        var channel: ControlChannel
    }
    private struct State: ~Copyable {
        var disk: DiskDescription
        var liveStates: [String: Descriptor]
        var process: Process?
        var stopping = false
        var starts = 0
    }

    private let device: Descriptor
    private let paths: MachinePaths
    /// The program that the next supervisor is started from: this one, until another is handed over.
    private let program: Mutex<Descriptor>
    private let state: Mutex<State>
    /// One request at a time, and none while a supervisor is replaced.
    private let requests = NSLock()
    private let changed: @Sendable (_ supervisor: ProcessIdentity?) -> Void
    private let first: First

    /// A supervisor that waits for its disk.
    struct First: Sendable {
        let pid: pid_t
        let channel: ControlChannel

        /// When no disk will come.
        func end() {
            kill(pid, SIGKILL)
            // It is this process's child, and whoever watches it already has waited.
            _ = try? waitForExit(of: pid)
        }
    }

    /// Forks the first supervisor, in a process with one thread; the child has no `descriptor`, nor anything that comes later.
    ///
    /// - Parameter home: whose store it opens while it waits.
    static func forkFirst(closing descriptor: Int32, expecting home: String?) throws -> First {
        let (mine, its) = try UnixSocket.pair()
        let pid = try forkChild {
            close(descriptor)
            close(mine.descriptor.raw)
            setsid()
            let channel = ControlChannel(its)
            // Without another thread there could be none that serve the disk either.
            return (try? inOwnThread { Supervisor.main(channel, expecting: home) }) ?? 1
        }
        return First(pid: pid, channel: ControlChannel(mine))
    }

    /// - Parameters:
    ///   - device: the FUSE device of the mount.
    ///   - first: the supervisor that was forked already.
    ///   - changed: called when another supervisor serves.
    init(
        device: Descriptor, paths: MachinePaths, disk: DiskDescription, first: First, changed: @escaping @Sendable (_ supervisor: ProcessIdentity?) -> Void
    ) throws {
        (self.device, self.paths, self.first, self.changed) = (device, paths, first, changed)
        program = Mutex(try Descriptor("/proc/self/exe", O_RDONLY))
        state = Mutex(State(disk: disk, liveStates: [disk.top: try .memory(named: "overlay-\(disk.top)")]))
    }

    /// What is served now.
    var disk: DiskDescription { state.withLock { $0.disk } }

    /// Starts the first supervisor; returns once the disk is open.
    func start() throws {
        requests.lock()
        defer { requests.unlock() }
        try launch(resumed: false)
    }

    private func launch(resumed: Bool) throws {
        let (pid, channel) = try resumed ? startProgram() : (first.pid, first.channel)
        let (disk, states) = state.withLock { ($0.disk, $0.liveStates) }
        let names = states.keys.sorted()
        let handed = [device.raw, 2] + names.compactMap { states[$0]?.raw }
        do {
            let answer = try channel.ask(
                SupervisorRequest.serve(home: paths.home, machine: paths.name, disk, resumed: resumed, liveStates: names), descriptors: handed,
                SupervisorAnswer.self)
            guard let answer else {
                throw MachineError("supervisorDied", "the disk's server of `\(paths.name)` died as it started", fix: "see \(paths.log)")
            }
            if let error = answer.error { throw error.error }
        } catch {
            kill(pid, SIGKILL)
            _ = try waitForExit(of: pid)
            throw error
        }
        state.withLock {
            $0.process = Process(pid: pid, channel: channel)
            $0.starts += 1
        }
        changed(ProcessIdentity(of: pid))
        _ = try PlainThread { [self] in watch(pid) }
    }

    private func startProgram() throws -> (pid_t, ControlChannel) {
        let (mine, its) = try UnixSocket.pair()
        let file = program.withLock { $0 }
        let number: Int32 = 4
        var command = Command("/proc/self/fd/\(number)", ["__supervisor", paths.home, paths.name])
        command.descriptors = [Supervisor.controlDescriptor: its.descriptor.raw, number: file.raw]
        command.newSession = true
        return (try command.start(), ControlChannel(mine))
    }

    /// Waits for the supervisor to die, and puts another in its place.
    private func watch(_ pid: pid_t) {
        do {
            let status = try waitForExit(of: pid)
            requests.lock()
            defer { requests.unlock() }
            let stopping = state.withLock { state in
                if state.process?.pid == pid { state.process = nil }
                return state.stopping || state.process != nil
            }
            if stopping { return }
            Keeper.log("the supervisor \(pid) ended (\(status)); starting another")
            try relaunch()
        } catch {
            Keeper.log("the disk has no server, and fails from now on; stop and resume the machine: \(error)")
            // Who waits for the disk gets an error. Otherwise it would wait for ever, and with it each `sync` on this host.
            umount2(paths.fuse, Int32(MNT_FORCE))
        }
    }

    /// A supervisor that fails at once is tried again for a while: what it needs may come back (space, memory).
    private func relaunch() throws {
        var delay: UInt32 = 20_000
        while true {
            do {
                return try launch(resumed: true)
            } catch {
                Keeper.log("cannot start a supervisor: \(error)")
                if state.withLock({ $0.stopping }) || delay > 20_000_000 { throw error }
                usleep(delay)
                delay *= 2
            }
        }
    }

    /// Passes a request on; when the supervisor dies meanwhile, waits for the next.
    ///
    /// - Returns: nil when it died: whether it had done it is for the caller to know.
    private func ask(_ request: SupervisorRequest, descriptors: [Int32] = []) throws -> SupervisorAnswer? {
        let channel = state.withLock { $0.process?.channel }
        guard let channel else { return nil }
        let answer = try channel.ask(request, descriptors: descriptors, SupervisorAnswer.self)
        if let error = answer?.error { throw error.error }
        return answer
    }

    private func exclusively<T>(_ body: () throws -> T) throws -> T {
        requests.lock()
        defer { requests.unlock() }
        return try body()
    }

    /// Goes on in a new overlay. The file system is frozen and clean.
    ///
    /// - Parameter persist: writes the new stack down; called before anything happens, and again with the old one if the seal fails.
    /// - Returns: bytes in the overlay that was sealed; nil when the supervisor died and another opened the new stack.
    func seal(next: String, persist: (DiskDescription) throws -> Void) throws -> Int64? {
        try exclusively {
            let live = try Descriptor.memory(named: "overlay-\(next)")
            let old = disk
            var new = old
            new.sealed.append(old.top)
            new.top = next
            try persist(new)
            state.withLock {
                $0.disk = new
                $0.liveStates[next] = live
            }
            do {
                return try ask(.seal(next: next), descriptors: [live.raw])?.dirtyBytes
            } catch {
                state.withLock {
                    $0.disk = old
                    $0.liveStates[next] = nil
                }
                try persist(old)
                throw error
            }
        }
    }

    /// Makes the last seal durable. After the thaw: nobody waits for it but the caller.
    func recordSeal() throws {
        try exclusively {
            guard try ask(.recordSeal) != nil else { return }
            state.withLock { state in for id in state.disk.sealed { state.liveStates[id] = nil } }
        }
    }

    /// The image `image` takes the place of the old one and the overlays `dropping`.
    func rebase(image: String, dropping: [String], persist: (DiskDescription) throws -> Void) throws {
        try exclusively {
            var new = disk
            guard new.sealed.starts(with: dropping) else {
                throw MachineError("internal", "the overlays \(dropping.joined(separator: ", ")) are not the lowest of `\(paths.name)`")
            }
            new.image = image
            new.sealed.removeFirst(dropping.count)
            try persist(new)
            state.withLock {
                $0.disk = new
                for id in dropping { $0.liveStates[id] = nil }
            }
            _ = try ask(.rebase(image: image, dropping: dropping))
        }
    }

    /// Puts a supervisor of another program, from which later ones are started too, in the place of the running one; what is in flight is sent again.
    func replace(program file: Descriptor) throws {
        try exclusively {
            program.withLock { $0 = file }
            guard let old = state.withLock({ $0.process }) else { return }
            state.withLock { $0.process = nil }
            // Its thread sees that it was replaced, because the lock is held until the next one serves.
            kill(old.pid, SIGKILL)
            while ProcessIdentity(of: old.pid) != nil { usleep(500) }
            try relaunch()
        }
    }

    /// After the mount is gone: waits for the supervisor, which has nothing to serve any more.
    ///
    /// - Parameter flushing: whether it makes the disk durable first.
    func end(flushing: Bool) throws {
        requests.lock()
        defer { requests.unlock() }
        let process = state.withLock { state in
            state.stopping = true
            let process = state.process.take()
            state.liveStates = [:]
            return process
        }
        guard let process else { return }
        if flushing { _ = try process.channel.ask(SupervisorRequest.flush, SupervisorAnswer.self) } else { kill(process.pid, SIGKILL) }
        shutdown(process.channel.raw, Int32(SHUT_RDWR))
        // What it still does is to end.
        if waitUntil(lookingEvery: 500, atMost: 2000, { ProcessIdentity(of: process.pid) == nil }) { return }
        kill(process.pid, SIGKILL)
        // It holds the files of the store until it has gone, and a slow host's write comes first.
        guard waitUntil(lookingEvery: 5000, atMost: 2000, { ProcessIdentity(of: process.pid) == nil }) else {
            throw MachineError(
                "hung", "the disk's server (process \(process.pid)) was killed and has not ended", fix: "look for failing storage in the kernel's log")
        }
    }
}
