import CLinux
import Disks
import Foundation
import Glibc
import Images
import Linux
import Synchronization

/// One machine in its keeper: what is up, in the order in which it goes down.
final class KeeperSession: @unchecked Sendable {
    // Unchecked: everything below but `machine` is set while only the main thread runs; afterwards `operations` serialises who uses it.
    let paths: MachinePaths
    private let machine: Mutex<MachineFile>
    private let operations = NSLock()
    private var device: Descriptor?
    private var server: DiskServer?
    private var loop: LoopDevice?
    private var namespaces: MachineNamespaces?
    private var network: MachineNetwork?
    private let services = Mutex<ServiceRunner?>(nil)
    private var hostConfiguration: HostConfiguration?
    private var isMounted = false
    private var isMapped = false
    private var firstHostID: UInt32 = 0
    /// Where the host's files that the machine gets are mounted with mapped owners, in the order of their mounting.
    private var boundFiles: [String] = []
    private var initialProcess: pid_t = 0
    private var initialHandle: Pidfd?
    private let goingDown = Atomic(false)
    /// The command that the machine is made for.
    let command: ForegroundCommand?
    private let handed: KeeperDescriptors
    private let firstSupervisor: DiskServer.First

    init(_ job: KeeperJob, _ handed: KeeperDescriptors, supervisor: DiskServer.First) throws {
        paths = MachinePaths(home: job.home, name: job.name)
        (command, self.handed, firstSupervisor) = (job.command, handed, supervisor)
        machine = Mutex(try MachineFile.load(paths.file))
    }

    var file: MachineFile { machine.withLock { $0 } }

    private var runtime: OCIRuntime {
        let file = file
        return OCIRuntime(program: file.settings.runtime, state: paths.runtimeState, id: file.id)
    }

    private func update(_ change: (inout MachineFile) -> Void) throws {
        try machine.withLock { file in
            var new = file
            change(&new)
            if new == file { return }
            try new.save(paths.file)
            file = new
        }
    }

    // MARK: up

    func bringUp() throws { try withExpeditedGracePeriods { try makeAll() } }

    private func makeAll() throws {
        let file = file
        for folder in [paths.fuse, paths.disk, paths.bundle, paths.runtimeState, paths.logs, paths.host] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        let device = try timed("mount FUSE") { try mountFUSE(at: paths.fuse) }
        self.device = device
        let disk = DiskDescription(image: file.image, sealed: file.sealed, top: file.top, size: file.diskSize, isVolatile: file.owner != nil)
        let server = try DiskServer(device: device, paths: paths, disk: disk, first: firstSupervisor) { [weak self] supervisor in
            // Only `ps` asks for it.
            do { try self?.update { $0.supervisor = supervisor } } catch { Keeper.log("\(error)") }
        }
        self.server = server
        // What needs no disk is made while the disk's server starts.
        let preparing = try SideWork { [self] in try timed("prepare the surroundings") { try prepareSurroundings(file) } }
        do { try timed("start the disk's server") { try server.start() } } catch {
            preparing.abandon()
            throw error
        }
        try timed("mount the disk") { try mountDisk(file) }
        try timed("wait for the surroundings") { try preparing.finish() }
        try timed("start the container") { try startContainer(file) }
    }

    private func prepareSurroundings(_ file: MachineFile) throws {
        firstHostID = try timed("claim ids") { try HostIDRanges.claim(machine: file.name, home: paths.home) }
        let namespaces = try timed("make the namespaces") {
            try MachineNamespaces(
                firstHostID: firstHostID, count: HostIDRanges.count, holder: handed.namespaces.take() ?? NamespaceHolder(withNetwork: true))
        }
        self.namespaces = namespaces
        guard let netns = namespaces.network else { throw MachineError("internal", "the machine has no network namespace") }
        hostConfiguration = try timed("write this host's settings") {
            try HostConfiguration.stage(into: paths.host, machine: file.hostname, network: file.settings.network)
        }
        network = try timed("attach the network") {
            try MachineNetwork.attach(
                name: file.name, id: file.id, namespace: netns, choice: file.settings.network, ports: file.settings.ports, home: paths.home)
        }
    }

    private func mountDisk(_ file: MachineFile) throws {
        let loop = try LoopDevice.attach(file: paths.fuse + "/" + exportFileName)
        self.loop = loop
        try mountFileSystem(of: loop, file)
        try growFileSystem(on: loop, file)
    }

    private func mountFileSystem(of loop: LoopDevice, _ file: MachineFile) throws {
        do {
            try mount(loop.path, at: paths.disk, type: "ext4", [.noSetUID, .noDevices, .noAccessTime])
        } catch let error as LinuxError {
            throw MachineError(
                "mount", "the disk of `\(file.name)` cannot be mounted", cause: "\(error)",
                fix: "it must hold an ext4 file system; `terrine verify \(file.imageReference)` checks the image")
        }
        isMounted = true
    }

    /// A disk larger than its image's file system: the rest becomes usable at the first start.
    private func growFileSystem(on loop: LoopDevice, _ file: MachineFile) throws {
        var status = statvfs()
        try check("look at", paths.disk) { statvfs(paths.disk, &status) }
        let blockSize = UInt64(status.f_frsize)
        let blocks = UInt64(file.diskSize) / blockSize
        // f_blocks leaves out what the file system keeps for itself (up to a few percent).
        guard UInt64(file.diskSize) > UInt64(status.f_blocks) * blockSize * 11 / 10 else { return }
        do {
            return try FileSystem(at: paths.disk).resizeExt4(toBlocks: blocks)
        } catch let error as LinuxError where error.code == EPERM {
            Keeper.log("the kernel grows a mounted file system only for CAP_SYS_RESOURCE; growing it unmounted")
        }
        try unmountPatiently(paths.disk)
        isMounted = false
        // Forced: it was just mounted and unmounted cleanly, and a full check reads every inode.
        let grown = try Command("resize2fs", ["-f", loop.path, "\(blocks)"]).capture()
        guard grown.status == .exited(0) else {
            throw MachineError(
                "grow", "the file system of `\(file.name)` cannot be grown to \(file.diskSize >> 20) MiB", cause: grown.errors,
                fix: "start it without `--disk`; `terrine verify \(file.imageReference)` checks the image")
        }
        try mountFileSystem(of: loop, file)
    }

    private func startContainer(_ file: MachineFile) throws {
        guard let namespaces, let hostConfiguration else { throw MachineError("internal", "the machine's surroundings are not there") }
        let disk = try RootedFolder(paths.disk)
        try clearRun(disk)
        try mountMapped(paths.disk, at: paths.root, userNamespace: namespaces.user)
        isMapped = true
        let environment = hostConfiguration.environment.merging(file.settings.environment) { $1 }
        try replaceFile(paths.environment, with: Array(try JSONEncoder().encode(environment)), durable: false)
        let first = try FirstProcess.choose(running: command != nil)
        let binds =
            try first.binds + hostConfiguration.binds(for: disk) + file.settings.binds.enumerated().map { try mapOwners($1, number: $0, namespaces.user) }
        guard let netns = namespaces.network else { throw MachineError("internal", "the machine has no network namespace") }
        var bundle = SandboxBundle(
            process: ProcessSpecification(arguments: first.command, environment: ["PATH": MachineExec.defaultPath], workingFolder: "/", user: .root),
            hostname: file.hostname, rootPath: paths.root, userNamespacePath: "/proc/\(getpid())/fd/\(namespaces.user.raw)",
            firstHostID: firstHostID,
            networkNamespacePath: "/proc/\(getpid())/fd/\(netns.raw)", cgroupsPath: "/terrine/\(file.id)", cpus: file.settings.cpus,
            memory: file.settings.memory, pids: file.settings.pids, binds: binds)
        if let command {
            bundle.process = try MachineExec.specification(command, of: file, in: disk, seesAll: file.settings.binds.isEmpty, machine: environment)
            bundle.process.arguments = first.command + command.arguments
        }
        try replaceFile(paths.bundle + "/config.json", with: Array(try bundle.json().utf8), durable: false)
        // What a keeper that was killed left behind.
        try runtime.delete()
        let null = try Descriptor("/dev/null", O_RDWR)
        let console = try Descriptor(paths.logs + "/console.log", O_WRONLY | O_CREAT | O_APPEND)
        initialProcess = try timed("run the runtime") {
            try runtime.run(bundle: paths.bundle, streams: handed.streams.isEmpty ? [null, console, console] : handed.streams)
        }
        handed.streams = []
        initialHandle = try Pidfd(of: initialProcess)
    }

    /// What a boot does: /run has no files, only the folders that packages made for theirs.
    private func clearRun(_ disk: RootedFolder) throws {
        func clear(_ folder: String, depth: Int) throws {
            guard depth < 16, let status = try disk.attributes(folder), status.st_mode & S_IFMT == S_IFDIR else { return }
            for name in try disk.list(folder) {
                let path = folder + "/" + name
                if let inside = try disk.attributes(path), inside.st_mode & S_IFMT == S_IFDIR {
                    try clear(path, depth: depth + 1)
                } else {
                    try disk.remove(path)
                }
            }
        }
        try clear("/run", depth: 0)
    }

    /// Mounts a file or folder of this host so that its root's files are those of the machine's root; as it is where its file system cannot.
    private func mapOwners(_ bind: Bind, number: Int, _ namespace: Descriptor) throws -> Bind {
        var status = stat()
        guard stat(bind.source, &status) == 0 else {
            throw MachineError(
                "notFound", "`\(bind.source)`, which the machine shall see as `\(bind.target)`, is not there", fix: "make it, or leave out its `-v`")
        }
        let folder = paths.folder + "/binds"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let place = "\(folder)/\(number)"
        if status.st_mode & S_IFMT == S_IFDIR { mkdir(place, 0o700) } else { _ = try Descriptor(place, O_RDWR | O_CREAT) }
        do {
            try mountMapped(bind.source, at: place, userNamespace: namespace)
            boundFiles.append(place)
            return Bind(source: place, target: bind.target, readOnly: bind.readOnly)
        } catch let error as LinuxError {
            Keeper.log("the owners of \(bind.source) cannot be mapped: \(error)")
            return bind
        }
    }

    /// Says that the machine is up, durably.
    func markRunning() throws {
        try update {
            $0.state = .running
            $0.keeper = .current
            $0.lastError = nil
        }
    }

    func recordFailure(_ error: any Error) {
        do {
            try update {
                $0.state = .stopped
                $0.lastError = "\(error)"
            }
        } catch { Keeper.log("\(error)") }
    }

    /// Starts what goes on beside the requests: the watch over first process and owner, and the services; returns once these are ready or one failed. Before
    /// them comes what a machine makes for itself at its first start.
    ///
    /// - Parameter report: is told how the machine's command ended, if it was made for one.
    func watch(_ report: ControlChannel) -> KeeperAnswer {
        do {
            let file = file
            if let owner = file.owner { _ = try PlainThread { [self] in watchOwner(owner) } }
            guard command == nil else {
                try report.send(KeeperAnswer(pid: initialProcess))
                let status = try waitForExit(of: initialProcess)
                // A maker that has gone does not want to know.
                _ = try? report.send(KeeperAnswer(exit: status.code))
                return KeeperAnswer(error: endWithCommand(status))
            }
            _ = try PlainThread { [self] in watchInitialProcess() }
            try runFirstStart(file)
            guard !file.settings.services.isEmpty else { return KeeperAnswer() }
            let runner = ServiceRunner(services: file.settings.services, paths: paths) { [self] in try command(of: $0, probing: $1) }
            services.withLock { $0 = runner }
            try runner.start()
            return KeeperAnswer(services: runner.reports)
        } catch {
            Keeper.log("\(error)")
            return KeeperAnswer(error: ErrorText(error))
        }
    }

    private func runFirstStart(_ file: MachineFile) throws {
        guard file.settings.runsFirstStart == true, try FirstStart.isPending(on: RootedFolder(paths.disk)) else { return }
        var exec = ExecSpec(["/bin/sh", "-c", FirstStart.script])
        (exec.user, exec.workingFolder) = ("0", "/")
        let log = paths.logs + "/first-start.log"
        var command = try MachineExec(file: file, paths: paths, spec: exec).command()
        let null = try Descriptor("/dev/null", O_RDONLY)
        let output = try Descriptor(log, O_WRONLY | O_CREAT | O_APPEND)
        command.descriptors.merge([0: null.raw, 1: output.raw, 2: output.raw]) { $1 }
        command.newSession = true
        let pid = try command.start()
        let process = try Pidfd(of: pid)
        let inTime = try process.waitForEnd(milliseconds: FirstStart.limit)
        if !inTime { try process.signal(SIGKILL) }
        let status = try waitForExit(of: pid)
        if inTime, status == .exited(0) { return }
        let tail = (readSmallFile(log) ?? "").split(separator: "\n").suffix(5).joined(separator: "\n")
        throw MachineError(
            "firstStart", "the first start of `\(file.name)` failed" + (inTime ? "" : ": it took more than \(FirstStart.limit / 60000) minutes"),
            cause: tail.isEmpty ? nil : tail, fix: "the scripts are in \(FirstStart.folder) of the image; mend what writes them there")
    }

    /// The command that runs a service, or its probe, in the machine.
    private func command(of service: MachineDefaults.Service, probing: Bool) throws -> Command {
        let file = file
        var exec = ExecSpec(["/bin/sh", "-c", (probing ? service.ready : nil) ?? service.run])
        exec.environment = service.environment
        exec.user = service.user
        return try MachineExec(file: file, paths: paths, spec: exec).command()
    }

    /// The command has ended, and with it what the machine was made for.
    private func endWithCommand(_ status: ExitStatus) -> ErrorText? {
        // Whoever ends the machine ends this process too.
        while goingDown.load(ordering: .acquiring) { pause() }
        return stop(KeeperStop(state: .stopped, grace: 0, trims: false, removes: true), because: "its command ended (\(status))")
    }

    private func watchInitialProcess() {
        do {
            let status = try waitForExit(of: initialProcess)
            if goingDown.load(ordering: .acquiring) { return }
            Keeper.log("the machine's first process ended (\(status))")
            _ = stop(KeeperStop(state: .stopped, grace: 0, trims: false, removes: file.owner != nil), because: "its first process ended (\(status))")
            exit(0)
        } catch { Keeper.log("\(error)") }
    }

    private func watchOwner(_ owner: ProcessIdentity) {
        while owner.isAlive { usleep(200_000) }
        if goingDown.load(ordering: .acquiring) { return }
        Keeper.log("the process \(owner.pid) that this machine was made for is gone")
        _ = stop(KeeperStop(state: .stopped, grace: 0, trims: false, removes: true))
        exit(0)
    }

    // MARK: requests

    func answer(_ request: KeeperRequest, _ descriptors: [Descriptor]) throws -> KeeperAnswer {
        operations.lock()
        defer { operations.unlock() }
        guard let server, !goingDown.load(ordering: .acquiring) else { throw MachineError("stopped", "`\(paths.name)` is being stopped") }
        switch request {
        case .status: return KeeperAnswer()
        case .seal: return try seal(server)
        case .rebase(let image, let dropping):
            try server.rebase(image: image, dropping: dropping, persist: persist)
            return KeeperAnswer()
        case .replaceSupervisor:
            guard let program = descriptors.first else { throw MachineError("internal", "no program came along for the disk's server") }
            try server.replace(program: program)
            return KeeperAnswer()
        case .services: return KeeperAnswer(services: services.withLock { $0 }?.reports ?? [])
        case .stop: throw MachineError("internal", "a stop is no ordinary request")
        }
    }

    private func persist(_ disk: DiskDescription) throws {
        try update {
            $0.image = disk.image
            $0.sealed = disk.sealed
            $0.top = disk.top
        }
    }

    private func seal(_ server: DiskServer) throws -> KeeperAnswer {
        let fileSystem = try FileSystem(at: paths.disk)
        try fileSystem.sync()
        let next = MachineName.drawID()
        let clock = ContinuousClock()
        let watchdog = try FreezeWatchdog(fileSystem: fileSystem, limit: 10)
        let start = clock.now
        let dirty: Int64?
        do {
            try withExpeditedGracePeriods { try fileSystem.freeze() }
            defer { watchdog.thaw() }
            dirty = try server.seal(next: next, persist: persist)
        }
        let pause = start.duration(to: clock.now)
        if watchdog.expired {
            throw MachineError(
                "slow", "the seal of `\(paths.name)` took longer than ten seconds, so its file system was let go on",
                fix: "try again; `\(paths.log)` may say why")
        }
        try server.recordSeal()
        let disk = server.disk
        return KeeperAnswer(
            sealed: disk.sealed, image: disk.image, pauseMilliseconds: pause / .milliseconds(1), dirtyBytes: dirty)
    }

    // MARK: down

    /// Ends the machine; what could not be done is told, and the rest done all the same.
    func stop(_ request: KeeperStop, because reason: String? = nil) -> ErrorText? {
        operations.lock()
        defer { operations.unlock() }
        if goingDown.exchange(true, ordering: .acquiringAndReleasing) { return nil }
        if request.grace > 0 { endGently(request.grace) }
        let clean = takeDown(trims: request.trims, discards: request.removes || request.discards)
        do {
            try update {
                $0.state = request.state
                $0.keeper = nil
                $0.supervisor = nil
                $0.lastError = reason
                // Who keeps it wants it, whoever made it; but a sealed step only its builder can want.
                if !request.removes, request.state != .sealed { $0.owner = nil }
            }
            unlink(paths.socket)
            if request.removes { try MachineHost.removeFiles(of: file, paths: paths) }
        } catch { return ErrorText(error) }
        return clean ? nil : ErrorText(MachineError("unclean", "`\(paths.name)` was not taken down cleanly", fix: "see \(paths.log)"))
    }

    private func endGently(_ seconds: Double) {
        services.withLock { $0 }?.stop()
        do {
            try runtime.signalAll(SIGTERM)
            let deadline = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < deadline, kill(initialProcess, 0) == 0, ProcessIdentity(of: initialProcess) != nil { usleep(5000) }
        } catch { Keeper.log("\(error)") }
    }

    /// Takes down what is up: thaw, kill, unmount, detach, unmount FUSE. Measured: any other order pins the loop device.
    ///
    /// - Parameter discards: nobody needs the disk any more, so that nothing is written back.
    @discardableResult
    func takeDown(trims: Bool, discards: Bool) -> Bool {
        goingDown.store(true, ordering: .releasing)
        var clean = true
        func attempt(_ what: String, _ body: () throws -> Void) {
            do { try timed(what, body) } catch {
                Keeper.log("taking down: \(error)")
                clean = false
            }
        }
        services.withLock { $0 }?.stop()
        withExpeditedGracePeriods {
            if isMounted { attempt("thaw") { try FileSystem(at: paths.disk).thaw() } }
            attempt("end the processes") { if let initialHandle { try runtime.end(initialHandle) } else { try runtime.delete() } }
            // It has nothing to do with the disk, and takes as long.
            let surroundings = Result { try SideWork { [self] in try timed("take down the network") { try network?.detach() } } }
            for place in boundFiles.reversed() { attempt("unmount \(place)") { try unmount(place) } }
            if isMapped { attempt("unmount the root") { try unmount(paths.root) } }
            if isMounted {
                if discards { attempt("abandon the disk") { try FileSystem(at: paths.disk).abandon() } }
                if trims { attempt("trim") { try FileSystem(at: paths.disk).trim() } }
                attempt("unmount the disk") { try unmountPatiently(paths.disk) }
            }
            if let loop { attempt("detach the loop device") { try loop.detach() } }
            if let server { attempt("end the disk's server") { try server.end(flushing: !discards) } }
            if device != nil { attempt("unmount FUSE") { try unmount(paths.fuse, lazily: !clean) } }
            device = nil
            attempt("take down the network") { try surroundings.get().finish() }
            attempt("give the ids back") { try HostIDRanges.release(machine: paths.name, home: paths.home) }
        }
        return clean
    }

    /// A process that was just killed may hold the file system a moment longer.
    private func unmountPatiently(_ folder: String) throws {
        for attempt in 0... {
            do { return try unmount(folder) } catch let error as LinuxError where error.code == EBUSY && attempt < 400 { usleep(5000) }
        }
    }
}
