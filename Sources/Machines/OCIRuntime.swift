import Foundation
import Glibc
import Linux

/// An OCI runtime's command line (`runc`), for one container.
struct OCIRuntime: Sendable {
    /// The program: a name in `PATH`, or a path.
    let program: String
    /// Where it keeps its own state.
    let state: String
    /// The container's id.
    let id: String

    /// The runtime's log, as text: what it said last is why it failed.
    private var log: String { state + "/log" }

    private func command(_ arguments: [String]) -> Command {
        var command = Command(program, ["--root", state, "--log", log] + arguments)
        command.environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        return command
    }

    /// Starts the bundle's process and returns its id on this host; it becomes a child of the nearest subreaper.
    ///
    /// - Parameter streams: its input, output and errors.
    func run(bundle: String, streams: [Descriptor]) throws -> pid_t {
        let pidFile = bundle + "/pid"
        // A runtime that was killed, or lost its host's power, leaves the file that it would have renamed; the next one would refuse to write it.
        for left in [pidFile, bundle + "/.pid"] { unlink(left) }
        var run = command(["run", "--detach", "--bundle", bundle, "--pid-file", pidFile, id])
        for (number, stream) in streams.enumerated() { run.descriptors[Int32(number)] = stream.raw }
        run.workingFolder = bundle
        let status = try run.run()
        guard status == .exited(0) else { throw failure("start the machine's first process", status) }
        guard let pid = readSmallFile(pidFile).flatMap({ pid_t($0) }) else { throw MachineError("runtime", "\(program) did not say which process it started") }
        return pid
    }

    /// The command that runs another process in the container, with the streams and the exit code of the command itself.
    ///
    /// - Parameters:
    ///   - process: the file with its OCI description.
    ///   - pidFile: gets its id on this host.
    ///   - detached: whether the runtime ends when the process has started, and leaves it to the nearest subreaper.
    func exec(process: String, pidFile: String?, detached: Bool = false) -> Command {
        command(["exec", "--process", process] + (detached ? ["--detach"] : []) + (pidFile.map { ["--pid-file", $0] } ?? []) + [id])
    }

    /// Sends a signal to every process of the container.
    func signalAll(_ signal: Int32) throws {
        let result = try command(["kill", "--all", id, String(signal)]).capture()
        // A container that has ended by itself has nobody left to be told.
        if result.status != .exited(0), ProcessIdentity(of: initialProcess ?? 0) != nil { throw failure("signal the machine's processes", result.status) }
    }

    private var initialProcess: pid_t? {
        guard let text = readSmallFile("\(state)/\(id)/state.json"), let range = text.range(of: "\"init_process_pid\":") else { return nil }
        return pid_t(text[range.upperBound...].prefix(while: \.isNumber))
    }

    /// Kills all that runs in it through its first process, whose end is that of its pid namespace, and removes what `runc` keeps of it: what
    /// ``delete()`` does, without the 20 ms that starting a program takes. Another runtime is asked.
    func end(_ initial: Pidfd) throws {
        guard (program as NSString).lastPathComponent == "runc" else { return try delete() }
        try initial.signal(SIGKILL)
        guard try initial.waitForEnd(milliseconds: 5000), try removeControlGroups() else { return try delete() }
        try removeFolder("\(state)/\(id)")
    }

    /// - Returns: false when one is still in use.
    private func removeControlGroups() throws -> Bool {
        for group in try controlGroups() {
            for attempt in 0... {
                if rmdir(group) == 0 || errno == ENOENT || errno == ENOTDIR { break }
                // The kernel lets go of the dead a moment later; groups that the machine made below are the runtime's to find.
                guard errno == EBUSY, attempt < 100 else { return false }
                usleep(1000)
            }
        }
        return true
    }

    /// Lets the file system of the container's root go on if a keeper froze it and died: processes that wait for it cannot be killed, and unmounting it
    /// frozen would pin its loop device.
    func thawRoot() throws {
        guard let initialProcess, ProcessIdentity(of: initialProcess) != nil else { return }
        do { try FileSystem(at: "/proc/\(initialProcess)/root").thaw() } catch let error as LinuxError where [ENOENT, ESRCH, EACCES].contains(error.code) {
            // It ended meanwhile.
        }
    }

    /// Kills all that runs in it, and removes it; does nothing when there is no such container.
    func delete() throws {
        guard access("\(state)/\(id)", F_OK) == 0 else { return }
        let result = try command(["delete", "--force", id]).capture()
        if result.status == .exited(0) || access("\(state)/\(id)", F_OK) != 0 { return }
        // The runtime does not sync what it writes: after a power cut its state may be an empty file, which it cannot read itself.
        guard (program as NSString).lastPathComponent == "runc", initialProcess == nil else { throw failure("remove the container \(id)", result.status) }
        for _ in 0..<100 {
            let processes = try controlGroups().flatMap { (readSmallFile($0 + "/cgroup.procs") ?? "").split(separator: "\n").compactMap { pid_t($0) } }
            if processes.isEmpty { break }
            for process in processes { kill(process, SIGKILL) }
            usleep(10_000)
        }
        guard try removeControlGroups() else { throw failure("remove the container \(id)", result.status) }
        try removeFolder("\(state)/\(id)")
    }

    /// Its groups in all hierarchies, whether they are there or not.
    private func controlGroups() throws -> [String] {
        let root = "/sys/fs/cgroup"
        return try ([""] + FileManager.default.contentsOfDirectory(atPath: root)).map { "\(root)/\($0)/terrine/\(id)" }
    }

    private func failure(_ what: String, _ status: ExitStatus) -> MachineError {
        let lines = (readSmallFile(log) ?? "").split(separator: "\n")
        let reason = lines.last.map { line in
            // time="…" level=error msg="…"
            line.range(of: "msg=").map { String(line[$0.upperBound...]).trimmingCharacters(in: ["\""]) } ?? String(line)
        }
        return MachineError(
            "runtime", "\(program) cannot \(what)", cause: reason ?? "it ended with \(status.code) and said nothing",
            fix: "`terrine doctor` tells what this host lacks")
    }
}
