import CLinux
import Foundation
import Glibc
import Linux

/// A command to run in a machine.
public struct ExecSpec: Sendable {
    /// A program, looked up in the machine's `PATH`, and its arguments.
    public var arguments: [String]
    /// Over the machine's own.
    public var environment: [String: String] = [:]
    /// The machine's when nil.
    public var workingFolder: String?
    /// A name, or `uid[:gid]`; the machine's when nil.
    public var user: String?
    /// Descriptors of this process that are its input, output and errors.
    public var descriptors: [Int32: Int32] = [0: 0, 1: 1, 2: 2]
    /// Then it is killed.
    public var timeout: Duration?
    /// A terminal of its own, joined to this process's.
    public var terminal = false
    /// Whether signals that this process gets, and Ctrl-C on its terminal, are the command's; if not, they reach this process alone.
    public var passesSignals = true

    public init(_ arguments: [String]) { self.arguments = arguments }
}

/// A command made ready: who runs it, where, with what, by which runtime call.
struct MachineExec {
    private let runtime: OCIRuntime
    private let process: Descriptor
    /// Gets the process's id on this host.
    let pidFile: String

    /// - Throws: ``MachineError`` `commandNotFound`, `notExecutable`, `notFound` for what the machine does not have.
    init(file: MachineFile, paths: MachinePaths, spec: ExecSpec) throws {
        guard let initial = readSmallFile(paths.bundle + "/pid").flatMap({ pid_t($0) }) else { throw MachineError("stopped", "`\(file.name)` is not running") }
        // As the machine sees it, with what is mounted into it.
        let root = try RootedFolder("/proc/\(initial)/root")
        var environment = try JSONDecoder().decode([String: String].self, from: Data(readFile(paths.environment)))
        if spec.terminal { environment["TERM"] = environment["TERM"] ?? ProcessInfo.processInfo.environment["TERM"] ?? "xterm" }
        let command = ForegroundCommand(arguments: spec.arguments, environment: spec.environment, workingFolder: spec.workingFolder, user: spec.user)
        var specification = try Self.specification(command, of: file, in: root, seesAll: true, machine: environment)
        specification.terminal = spec.terminal
        let memory = try Descriptor.memory(named: "process")
        try Array(try specification.json().utf8).withUnsafeBytes { try memory.write($0, at: 0) }
        process = memory
        runtime = OCIRuntime(program: file.settings.runtime, state: paths.runtimeState, id: file.id)
        pidFile = "\(paths.bundle)/exec-\(MachineName.drawID()).pid"
    }

    /// Who runs a command, where and with what, as an OCI runtime is told.
    ///
    /// - Parameters:
    ///   - root: the machine's `/`.
    ///   - seesAll: whether all that will be mounted there is: only then is what is not there missing.
    ///   - machine: the environment of all its processes.
    static func specification(
        _ command: ForegroundCommand, of file: MachineFile, in root: RootedFolder, seesAll: Bool, machine: [String: String]
    ) throws -> ProcessSpecification {
        guard let program = command.arguments.first else {
            throw MachineError("usage", "there is no command to run in `\(file.name)`", fix: "say it after `--`")
        }
        let user = try UserLookup.find(command.user ?? file.settings.user, in: root)
        let environment = ["PATH": defaultPath, "HOME": user.home].merging(machine) { $1 }.merging(command.environment) { $1 }
        let folder = command.workingFolder ?? file.settings.workingFolder
        if seesAll {
            guard folder.hasPrefix("/"), (kind(folder, in: root) ?? 0) == S_IFDIR else {
                throw MachineError("notFound", "`\(folder)` is no folder of `\(file.name)`", fix: "name another with `--cwd`")
            }
            try requireProgram(program, path: environment["PATH"] ?? defaultPath, folder: folder, in: root, of: file.name)
        }
        return ProcessSpecification(arguments: command.arguments, environment: environment, workingFolder: folder, user: user)
    }

    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The runtime's call, whose streams are the process's own.
    func command(writingPID: Bool = false, detached: Bool = false) -> Command {
        let number: Int32 = 9
        var command = runtime.exec(process: "/proc/self/fd/\(number)", pidFile: writingPID ? pidFile : nil, detached: detached)
        command.descriptors[number] = process.raw
        command.kept.append(process)
        return command
    }

    private static func kind(_ path: String, in root: RootedFolder) -> mode_t? { status(path, in: root).map { $0.st_mode & S_IFMT } }

    private static func status(_ path: String, in root: RootedFolder) -> stat? {
        // What cannot be reached is not there, for who wants to run it.
        guard let file = try? root.open(path, 0o10000000) else { return nil }  // O_PATH
        var status = stat()
        return fstat(file.raw, &status) == 0 ? status : nil
    }

    /// The runtime says only that it failed; a shell's exit codes need to know why.
    private static func requireProgram(_ program: String, path: String, folder: String, in root: RootedFolder, of machine: String) throws {
        var unusable: String?
        let candidates: [String]
        if program.contains("/") {
            candidates = [program.hasPrefix("/") ? program : "\(folder)/\(program)"]
        } else {
            candidates = path.split(separator: ":").map { "\($0)/\(program)" }
        }
        for candidate in candidates {
            guard let status = status(candidate, in: root) else { continue }
            if status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 { return }
            unusable = candidate
        }
        if let unusable {
            throw MachineError("notExecutable", "`\(unusable)` of `\(machine)` is not a program", fix: "`chmod +x` it, or run its interpreter")
        }
        throw MachineError(
            "commandNotFound", "`\(machine)` has no program `\(program)`", cause: program.contains("/") ? nil : "it is in no folder of its PATH (\(path))",
            fix: "add what has it to the recipe's `packages:`")
    }
}

extension Machine {
    /// Runs a command and waits for it. Signals that this process gets are passed on while it runs.
    public func run(_ spec: ExecSpec) throws -> ExitStatus {
        let file = try requireRunning()
        if spec.terminal, ![0, 1, 2].contains(where: { isatty($0) == 1 }) {
            throw MachineError("usage", "there is no terminal to join to the command's", fix: "leave out `-t` where input and output are no terminal")
        }
        let exec = try MachineExec(file: file, paths: paths, spec: spec)
        if !spec.passesSignals && !spec.terminal { return try runDetached(exec, spec) }
        var command = exec.command(writingPID: spec.timeout != nil)
        command.descriptors.merge(spec.descriptors) { $1 }
        defer { if spec.timeout != nil { unlink(exec.pidFile) } }
        command.newSession = !spec.passesSignals
        let signals = spec.passesSignals ? SignalForwarder() : nil
        defer { signals?.end() }
        let pid = try command.start()
        signals?.forward(to: pid)
        guard let timeout = spec.timeout else { return try waitForExit(of: pid) }
        let milliseconds = Int32(clamping: Int(timeout / .milliseconds(1)))
        let process = try Pidfd(of: pid)
        if try process.waitForEnd(milliseconds: milliseconds) { return try waitForExit(of: pid) }
        if let inside = readSmallFile(exec.pidFile).flatMap({ pid_t($0) }) { kill(inside, SIGKILL) }
        // The runtime ends with the process; if not, it is the runtime that hangs.
        if try !process.waitForEnd(milliseconds: 2000) { try process.signal(SIGKILL) }
        _ = try waitForExit(of: pid)
        throw MachineError.timeout(timeout)
    }

    /// Runs a command as this process's own child, without the runtime between: it ends when the command does, whoever still holds its output.
    private func runDetached(_ exec: MachineExec, _ spec: ExecSpec) throws -> ExitStatus {
        try check("become a subreaper") { clinux_prctl(PR_SET_CHILD_SUBREAPER, 1, 0) }
        var command = exec.command(writingPID: true, detached: true)
        command.descriptors.merge(spec.descriptors) { $1 }
        command.newSession = true
        defer { unlink(exec.pidFile) }
        let started = try command.run()
        guard started == .exited(0) else { return started }
        guard let pid = readSmallFile(exec.pidFile).flatMap({ pid_t($0) }) else {
            throw MachineError("runtime", "the runtime did not say which process it started in `\(name)`")
        }
        guard let timeout = spec.timeout else { return try waitForExit(of: pid) }
        if try !Pidfd(of: pid).waitForEnd(milliseconds: Int32(clamping: Int(timeout / .milliseconds(1)))) {
            kill(pid, SIGKILL)
            _ = try waitForExit(of: pid)
            throw MachineError.timeout(timeout)
        }
        return try waitForExit(of: pid)
    }
}

extension MachineError {
    static func timeout(_ timeout: Duration) -> MachineError {
        MachineError("timeout", "the command was killed after \((timeout / .seconds(1)).formatted()) s", fix: "give it more time, or see what it waits for")
    }
}
