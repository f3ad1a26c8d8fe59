import CLinux
import Glibc
import Linux

extension MachineHost {
    /// Runs one command in a new machine; a transient one is gone when this returns.
    ///
    /// Signals that this process gets are passed on to the command.
    public func run(_ spec: MachineSpec, _ exec: ExecSpec) throws -> ExitStatus {
        // What needs the machine before its command, or after it, is run in a machine that is there for itself.
        let hasServices = spec.startsServices && !spec.image.machine.services.isEmpty
        if spec.isTransient, !hasServices, !spec.needsFirstStart, !exec.terminal { return try runAsFirst(spec, exec) }
        let machine = try start(spec)
        let result = Result { try machine.run(exec) }
        if spec.isTransient { try machine.remove() }
        return try result.get()
    }

    /// The command is started along with its machine, which saves the runtime's second call, and ends with it.
    private func runAsFirst(_ spec: MachineSpec, _ exec: ExecSpec) throws -> ExitStatus {
        let (machine, lock) = try timed("write the machine down") { try make(spec) }
        let command = ForegroundCommand(
            arguments: exec.arguments, environment: exec.environment, workingFolder: exec.workingFolder, user: exec.user)
        do {
            let streams = (0...2).map { exec.descriptors[$0] ?? $0 }
            let signals = SignalForwarder()
            defer { signals.end() }
            let keeper = try machine.startKeeper(lock, command, streams: streams)
            guard let pid = try timed("bring the machine up", { try machine.answer(of: keeper) }).pid else {
                throw MachineError("internal", "the keeper of `\(machine.name)` did not say which process it started")
            }
            signals.forward(to: pid)
            let timedOut = try exec.timeout.map { try Self.kill(pid, after: $0, unless: keeper) } ?? false
            guard let code = try machine.answer(of: keeper).exit else {
                throw MachineError("internal", "the keeper of `\(machine.name)` did not say how its command ended")
            }
            signals.end()
            // Then it takes the machine down, and ends.
            while let answer = try keeper.receive(KeeperAnswer.self)?.value { if let error = answer.error { throw error.error } }
            if timedOut { throw MachineError.timeout(exec.timeout ?? .zero) }
            return .exited(code)
        } catch {
            try machine.remove(locked: lock)
            throw error
        }
    }

    /// - Returns: whether the process had to be killed.
    private static func kill(_ pid: pid_t, after timeout: Duration, unless keeper: ControlChannel) throws -> Bool {
        var poller = pollfd(fd: keeper.raw, events: Int16(POLLIN), revents: 0)
        // The keeper reports when it has ended.
        let ended = try check("wait for", "the command") { poll(&poller, 1, Int32(clamping: Int(timeout / .milliseconds(1)))) }
        if ended == 0 { Glibc.kill(pid, SIGKILL) }
        return ended == 0
    }
}
