import CLinux
import Glibc

/// A program to run, with exactly the descriptors and the environment that it is given.
///
/// Foundation's `Process` and swift-subprocess cannot hand a child descriptors by number or start it in a session of its own; the keeper needs both.
public struct Command: Sendable {
    /// A path, or a name to look up in `PATH`.
    public var program: String
    public var arguments: [String]
    /// The whole environment as `KEY=VALUE`; this process's own when nil.
    public var environment: [String]?
    public var workingFolder: String?
    /// Child descriptor number -> descriptor of this process. What is not named is closed, but for 0, 1 and 2, which are inherited.
    public var descriptors: [Int32: Int32] = [:]
    /// Stay open as long as the command is held: the owners of what ``descriptors`` names by number.
    public var kept: [Descriptor] = []
    /// Start in a new session: a terminal's Ctrl-C does not reach it.
    public var newSession = false

    public init(_ program: String, _ arguments: [String] = []) {
        self.program = program
        self.arguments = arguments
    }

    /// Starts the program and returns its process id; the caller must wait for it.
    public func start() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }

        // Move every source out of the way of the targets first, so that a swap (3 -> 4, 4 -> 3) works.
        var moved: [(target: Int32, source: Int32)] = []
        defer { for pair in moved { close(pair.source) } }
        for (target, source) in descriptors.sorted(by: { $0.key < $1.key }) {
            let copy = try check("fcntl", "descriptor \(source)") { clinux_fcntl_int(source, F_DUPFD_CLOEXEC, 200) }
            moved.append((target, copy))
        }
        for pair in moved { posix_spawn_file_actions_adddup2(&actions, pair.source, pair.target) }
        let highest = max(2, descriptors.keys.max() ?? 2)
        for number in 3..<(highest + 1) where descriptors[number] == nil {
            posix_spawn_file_actions_adddup2(&actions, 2, number)
            posix_spawn_file_actions_addclose(&actions, number)
        }
        posix_spawn_file_actions_addclosefrom_np(&actions, highest + 1)
        if let workingFolder { posix_spawn_file_actions_addchdir_np(&actions, workingFolder) }

        // A child starts with no signal blocked and none ignored, whatever this process does with its own.
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        sigdelset(&all, SIGKILL)
        sigdelset(&all, SIGSTOP)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
        if newSession { flags |= 0x80 }  // POSIX_SPAWN_SETSID, hidden from Swift behind _GNU_SOURCE
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let argv = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        let envp = environment.map { $0.map { strdup($0) } + [nil] }
        defer { for pointer in envp ?? [] { free(pointer) } }
        var pid: pid_t = 0
        let code =
            if let envp {
                posix_spawnp(&pid, program, &actions, &attributes, argv, envp)
            } else {
                posix_spawnp(&pid, program, &actions, &attributes, argv, environ)
            }
        if code != 0 { throw LinuxError("run", program, code: code) }
        return pid
    }

    /// Starts the program, waits for it and returns how it ended.
    public func run() throws -> ExitStatus { try waitForExit(of: start()) }

    /// Runs the program with `input` on its standard input and returns what it printed.
    public func capture(input: String = "") throws -> CapturedOutput {
        let standardInput = try temporaryFile(holding: input)
        let out = try temporaryFile()
        let err = try temporaryFile()
        var copy = self
        copy.descriptors[0] = standardInput.raw
        copy.descriptors[1] = out.raw
        copy.descriptors[2] = err.raw
        let status = try copy.run()
        return CapturedOutput(status: status, output: try contents(of: out), errors: try contents(of: err))
    }
}

/// How a process ended.
public enum ExitStatus: Sendable, Equatable {
    case exited(Int32)
    case signalled(Int32)

    /// The code a shell would give: 128 + signal for a killed process.
    public var code: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        }
    }
}

public struct CapturedOutput: Sendable {
    public let status: ExitStatus
    public let output: String
    public let errors: String
}

/// Waits for a child of this process.
public func waitForExit(of pid: pid_t) throws -> ExitStatus {
    var status: Int32 = 0
    try check("wait for", "process \(pid)") { waitpid(pid, &status, 0) }
    return ExitStatus(waitStatus: status)
}

extension ExitStatus {
    /// From the status word that `waitpid` gives.
    public init(waitStatus status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
    }
}

private func temporaryFile(holding text: String = "") throws -> Descriptor {
    let raw = try check("memfd_create", "output") {
        Int32(clinux_syscall6(Int(SYS_memfd_create), memfdName, 1, 0, 0, 0, 0))
    }
    let file = Descriptor(owning: raw)
    var text = text
    if !text.isEmpty { try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0), at: 0) } }
    return file
}

private let memfdName = Int(bitPattern: strdup("terrine-output"))

private func contents(of file: Descriptor) throws -> String {
    let size = Int(try check("seek", "output") { lseek(file.raw, 0, SEEK_END) })
    let bytes = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
    }
    return String(decoding: bytes, as: UTF8.self)
}
