import ChunkStore
import Foundation
import Glibc
import Images
import Linux

/// One machine, by its name. What it is lies in its file; its keeper, when it runs, does what is asked.
public final class Machine: Sendable {
    public enum State: String, Codable, Sendable {
        /// Being made.
        case created
        case running
        case stopped
        case hibernated
        /// Its disk is sealed after a build step.
        case sealed
        /// Its keeper has died: its processes are gone, its disk is as its last flush left it.
        case lost
    }

    public let name: String
    let host: MachineHost
    let paths: MachinePaths

    init(host: MachineHost, name: String) {
        (self.host, self.name) = (host, name)
        paths = MachinePaths(home: host.home, name: name)
    }

    // MARK: what it is

    func fileIfAny() throws -> MachineFile? { try MachineFile.loadIfAny(paths.file) }

    func file() throws -> MachineFile {
        guard let file = try fileIfAny() else { throw host.notFound(name) }
        return file
    }

    /// The machine's file, when it runs.
    func requireRunning() throws -> MachineFile {
        let file = try file()
        let condition = file.condition
        if condition == .running { return file }
        throw MachineError("stopped", "`\(name)` is \(condition.rawValue)", cause: file.lastError, fix: "`terrine resume \(name)` starts it again")
    }

    public var state: State { get throws { try file().condition } }

    /// For `ps`.
    public struct Summary: Codable, Sendable {
        public var name: String
        public var kind: String
        public var state: State
        /// As it was named when the machine started, or the digest of its last checkpoint.
        public var image: String
        public var digest: String
        /// Of its keeper.
        public var pid: Int32?
        public var supervisorPid: Int32?
        /// RFC 3339.
        public var created: String
        /// RFC 3339; `gc` removes it after that.
        public var expires: String?
        public var parent: String?
        public var ports: [MachineDefaults.Port]
        /// Bytes of this host's disk that only its overlays take.
        public var diskBytes: Int64
        public var error: String?
    }

    public func summary() throws -> Summary {
        let file = try file()
        let condition = file.condition
        let isUp = condition == .running
        return Summary(
            name: name, kind: "sandbox", state: condition, image: file.imageReference, digest: file.image, pid: isUp ? file.keeper?.pid : nil,
            supervisorPid: isUp ? file.supervisor?.pid : nil, created: Date(timeIntervalSince1970: file.created).formatted(.iso8601),
            expires: file.expires.map { Date(timeIntervalSince1970: $0).formatted(.iso8601) }, parent: file.parent,
            ports: file.settings.ports, diskBytes: file.overlays.reduce(0) { $0 + allocatedBytes(paths.overlay($1) + "/data") }, error: file.lastError)
    }

    /// How its services do; none when it does not run.
    public func services() throws -> [ServiceReport] {
        try state == .running ? ask(.services).services : []
    }

    /// Its `/` as this host reaches it: what is written there as user 0 belongs to the machine's root. What is mounted into it is not seen.
    public var root: RootedFolder {
        get throws {
            guard let keeper = try requireRunning().keeper else { throw MachineError("stopped", "`\(name)` has no keeper") }
            return try RootedFolder(paths.disk(through: keeper.pid))
        }
    }

    // MARK: locking and asking

    /// The machine's lock, for as long as what it is may change. Taken of a removed machine's folder it is worth nothing, so it looks again.
    func lock() throws -> FileLock {
        while true {
            guard MachineFile.isThere(paths.file) else { throw host.notFound(name) }
            let lock = try FileLock(paths.lock)
            var held = stat()
            var named = stat()
            try check("look at", paths.lock) { fstat(lock.descriptor.raw, &held) }
            if stat(paths.lock, &named) == 0, named.st_ino == held.st_ino { return lock }
        }
    }

    /// Asks the keeper.
    func ask(_ request: KeeperRequest, descriptors: [Int32] = []) throws -> KeeperAnswer {
        let channel: ControlChannel
        do {
            channel = ControlChannel(try .connect(to: paths.socket))
        } catch let error as LinuxError where [ENOENT, ECONNREFUSED].contains(error.code) {
            throw MachineError(
                "lost", "`\(name)` has no keeper that answers", cause: "\(error)", fix: "`terrine resume \(name)` starts the machine again, from its disk")
        }
        guard let answer = try channel.ask(request, descriptors: descriptors, KeeperAnswer.self) else {
            throw MachineError(
                "lost", "the keeper of `\(name)` died before it answered", fix: "`terrine resume \(name)` starts the machine again; \(paths.log) may say why")
        }
        if let error = answer.error { throw error.error }
        return answer
    }

    func change(_ body: (inout MachineFile) throws -> Void) throws {
        let before = try file()
        var file = before
        try body(&file)
        if file != before { try file.save(paths.file) }
    }

    // MARK: starting

    /// Starts the keeper; returns when the machine is up and its services are ready.
    func launch(_ lock: FileLock) throws {
        let keeper = try startKeeper(lock)
        _ = try answer(of: keeper)
    }

    /// What the keeper reports next; its error is thrown.
    func answer(of keeper: ControlChannel) throws -> KeeperAnswer {
        guard let answer = try keeper.receive(KeeperAnswer.self)?.value else {
            let said = (readSmallFile(paths.log) ?? "").split(separator: "\n").suffix(3).joined(separator: "\n")
            throw MachineError(
                "keeperDied", "the keeper of `\(name)` died as it started", cause: said.isEmpty ? nil : said, fix: "`terrine doctor` tells what this host lacks"
            )
        }
        if let error = answer.error { throw error.error }
        return answer
    }

    /// Starts a keeper; what comes back is where it reports.
    ///
    /// - Parameter streams: input, output and errors of `command`.
    func startKeeper(_ lock: FileLock, _ command: ForegroundCommand? = nil, streams: [Int32] = []) throws -> ControlChannel {
        try change {
            $0.state = .created
            $0.keeper = nil
        }
        let log = try Descriptor(paths.log, O_WRONLY | O_CREAT | O_APPEND)
        let channel = try raiseKeeper()
        try channel.send(
            KeeperJob(home: host.home, name: name, logLevel: .current, command: command), descriptors: [log.raw, lock.descriptor.raw] + streams)
        return channel
    }

    /// From the nursery, or as a program. Our copy of its end of the socket is closed when this returns, so that its death is seen.
    private func raiseKeeper() throws -> ControlChannel {
        let (mine, its) = try UnixSocket.pair()
        if Nursery.raise(its) { return ControlChannel(mine) }
        var command = Command(host.executable, ["__keeper"])
        command.descriptors = [Keeper.reportDescriptor: its.descriptor.raw]
        command.workingFolder = "/"
        command.newSession = true
        let pid = try command.start()
        // It outlives this process, which must not leave it a zombie while both live.
        _ = try PlainThread {
            // Nobody asks how it ended: the machine's file says it.
            _ = try? waitForExit(of: pid)
        }
        return ControlChannel(mine)
    }

    /// Starts a machine that does not run, from its disk.
    public func resume() throws {
        let lock = try lock()
        if try isUp() { return }
        let file = try file()
        switch file.condition {
        case .running: return
        case .sealed: throw MachineError("sealed", "`\(name)` is a build step's, which only waits to be committed", fix: "`terrine rm \(name)`")
        case .lost: try clearUp(file)
        case .created, .stopped, .hibernated: break
        }
        try launchOrStop(lock)
    }

    /// Whether it runs and goes on. One that is on its way down, though whoever wanted that may have died, is waited for.
    private func isUp() throws -> Bool {
        guard let keeper = try file().keeper, try file().condition == .running else { return false }
        do {
            _ = try ask(.status)
            return true
        } catch let error as MachineError where ["stopped", "lost"].contains(error.code) {
            waitUntil(lookingEvery: 5000, atMost: 6000) { !keeper.isAlive }
            return false
        }
    }

    /// As ``launch(_:)``, but a machine that cannot start is left stopped.
    func launchOrStop(_ lock: FileLock) throws {
        do { try launch(lock) } catch let error as MachineError where error.code != "serviceFailed" {
            try change { if $0.state == .created { ($0.state, $0.lastError) = (.stopped, error.description) } }
            throw error
        }
    }

    /// Lets a disk server of the program that runs here take the running one's place; the machine waits for some milliseconds, and loses nothing.
    ///
    /// - Throws: ``MachineError`` `unsupported` where the kernel does not send requests again (before 6.9): there the server's end is the machine's.
    public func upgradeSupervisor() throws {
        let lock = try lock()
        defer { withExtendedLifetime(lock) {} }
        _ = try requireRunning()
        if !KernelVersion.resends {
            throw MachineError(
                "unsupported", "the disk's server of `\(name)` cannot be replaced while the machine runs",
                cause: "Linux \(KernelVersion.release) does not send a dead server's requests again",
                fix: "run Linux 6.9 or later, or stop and resume the machine")
        }
        let program = try Descriptor(host.executable, O_RDONLY)
        _ = try ask(.replaceSupervisor, descriptors: [program.raw])
    }

    // MARK: stopping

    /// Ends its processes, after they were asked to, and unmounts its disk, which stays.
    ///
    /// - Parameter grace: seconds that they get.
    public func stop(grace: Double = 10) throws {
        let lock = try lock()
        try withExtendedLifetime(lock) { try end(as: .stopped, grace: grace, trims: false) }
    }

    /// Stops it so that its disk takes little room; ``resume()`` starts it again.
    public func hibernate() throws {
        let lock = try lock()
        try withExtendedLifetime(lock) {
            try end(as: .hibernated, grace: 10, trims: true)
            try sumAtRest()
        }
    }

    /// Takes the machine down; its lock is held.
    ///
    /// - Parameter discards: what its disk has not flushed is given up.
    func end(as state: MachineFile.State, grace: Double, trims: Bool, discards: Bool = false, removes: Bool = false) throws {
        let file = try file()
        switch file.condition {
        case .running:
            let keeper = try file.keeper.map { try Pidfd(of: $0.pid) }
            do {
                _ = try ask(.stop(KeeperStop(state: state, grace: grace, trims: trims, discards: discards, removes: removes)))
            } catch let error as MachineError where error.code == "lost" {
                // It may have been on its way down by itself.
                guard let after = try fileIfAny(), after.condition == .lost else { break }
                try clearUp(after)
            }
            _ = try keeper?.waitForEnd(milliseconds: 10_000)
        case .lost:
            try clearUp(file)
            try change { $0.state = state }
        case .created, .stopped, .hibernated, .sealed:
            if file.state != state, !removes { try change { $0.state = state } }
        }
    }

    /// Takes apart what a keeper that was killed left; the disk keeps what was flushed.
    func clearUp(_ file: MachineFile) throws {
        if let supervisor = file.supervisor, supervisor.isAlive {
            // It sees that its keeper is gone, makes all durable and ends; a hung one is ended.
            let process = try Pidfd(of: supervisor.pid)
            if try !process.waitForEnd(milliseconds: 5000) {
                try process.signal(SIGKILL)
                _ = try process.waitForEnd(milliseconds: 5000)
            }
        }
        let runtime = OCIRuntime(program: file.settings.runtime, state: paths.runtimeState, id: file.id)
        try runtime.thawRoot()
        try runtime.delete()
        try MachineNetwork.detach(id: file.id, home: host.home)
        try HostIDRanges.release(machine: name, home: host.home)
        removeName(paths.socket)
        try change {
            $0.state = .stopped
            $0.keeper = nil
            $0.supervisor = nil
            $0.lastError = "its keeper died"
        }
    }

    // MARK: removing

    /// Ends it and removes all that is its own.
    ///
    /// - Parameter force: also when it runs; otherwise that is an error.
    public func remove(force: Bool = true) throws {
        let lock = try lock()
        if !force, try state == .running {
            throw MachineError("running", "`\(name)` is running", fix: "`terrine stop \(name)` first, or `terrine rm --force \(name)`")
        }
        try remove(locked: lock)
    }

    func remove(locked lock: FileLock) throws {
        guard let file = try fileIfAny() else { return }
        // Its keeper removes it too, should this process be killed meanwhile.
        try end(as: .stopped, grace: 0, trims: false, removes: true)
        try MachineHost.removeFiles(of: file, paths: paths)
        withExtendedLifetime(lock) {}
    }
}

extension MachineHost {
    /// Removes a machine that is down: its folder at once, then what only it needed.
    static func removeFiles(of file: MachineFile, paths: MachinePaths) throws {
        let grave = "\(paths.home)/machines/.gone-\(file.id)"
        do {
            let registry = try FileLock(paths.home + "/machines/.lock")
            try withExtendedLifetime(registry) {
                if access(paths.folder, F_OK) == 0 { try renameFile(paths.folder, to: grave) }
            }
        }
        try syncFolder(paths.home + "/machines")
        try removeFolder(grave)
        _ = try collectOverlays(home: paths.home, file.overlays)
        try ImageStore(home: paths.home).unpin(pin(file.id))
    }
}

private func allocatedBytes(_ path: String) -> Int64 {
    var status = stat()
    return stat(path, &status) == 0 ? Int64(status.st_blocks) * 512 : 0
}
