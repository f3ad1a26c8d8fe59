import ChunkStore
import Foundation
import Glibc
import Images
import Linux

/// All machines under one home: makes them, finds them, and clears away what dead ones left.
public final class MachineHost: Sendable {
    public let home: String
    public let images: ImageStore
    /// The program whose `__keeper` and `__supervisor` commands machines live by.
    let executable: String

    /// - Parameters:
    ///   - home: `TERRINE_HOME`.
    ///   - executable: this program, unless it is a test.
    public init(home: String, images: ImageStore, executable: String = "/proc/self/exe") throws {
        (self.home, self.images, self.executable) = (home, images, executable)
        // Of a home that was never used, on a file system that cannot be written, there is nothing to find.
        for folder in [home + "/machines", home + "/overlays"] where !images.chunks.isReadOnly {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    // MARK: finding

    /// The machine of that name.
    public func machine(_ name: String) throws -> Machine {
        // A name that could lead out of the folder is nobody's.
        guard MachineName.isValid(name), access(MachinePaths(home: home, name: name).file, F_OK) == 0 else { throw notFound(name) }
        return Machine(host: self, name: name)
    }

    func notFound(_ name: String) -> MachineError {
        MachineError("notFound", "there is no machine `\(name)`", fix: "`terrine ps` lists the machines, `terrine start IMAGE --name NAME` makes one")
    }

    /// All machines, by name. One that cannot be read is left out and told to `problem`.
    public func machines(problem: (any Error) -> Void = { _ in }) throws -> [Machine] {
        var found: [Machine] = []
        for name in try names() {
            let machine = Machine(host: self, name: name)
            do {
                if try machine.fileIfAny() != nil { found.append(machine) }
            } catch { problem(error) }
        }
        return found
    }

    private func names() throws -> [String] {
        if access(home + "/machines", F_OK) != 0 { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: home + "/machines").filter(MachineName.isValid).sorted()
    }

    // MARK: making

    /// Held while machines are made, renamed or removed, and while it is found out which overlays nobody uses.
    func registryLock() throws -> FileLock { try FileLock(home + "/machines/.lock") }

    /// Makes a machine and starts it; returns when its first process runs and its services are ready.
    ///
    /// A machine that cannot start is gone again when this throws, but for one whose service failed: it can be looked into.
    public func start(_ spec: MachineSpec) throws -> Machine {
        let (machine, lock) = try make(spec)
        try bringUpNew(machine, lock)
        return machine
    }

    /// Brings a new machine up, or removes it.
    func bringUpNew(_ machine: Machine, _ lock: FileLock) throws {
        do {
            try machine.launch(lock)
        } catch let error as MachineError where error.code == "serviceFailed" {
            if try machine.file().owner != nil { try machine.remove(locked: lock) }
            throw error
        } catch {
            do { try machine.remove(locked: lock) } catch let second {
                throw MachineError(
                    "unclean", "`\(machine.name)` could not be started, nor removed", cause: "\(error); \(second)", fix: "`terrine rm \(machine.name)`")
            }
            throw error
        }
    }

    /// Writes a machine down, with its image pinned; the lock that comes back is its own.
    func make(name: String?, _ describe: (_ name: String, _ now: Double) throws -> MachineFile) throws -> (Machine, FileLock) {
        if let name, !MachineName.isValid(name) { throw MachineError("invalid", "`\(name)` cannot be a machine's name", fix: MachineName.rule) }
        if images.chunks.isReadOnly { throw LinuxError("make a machine in", home, code: EROFS) }
        let registry = try registryLock()
        defer { withExtendedLifetime(registry) {} }
        var chosen = name ?? MachineName.draw()
        while name == nil, access(MachinePaths(home: home, name: chosen).folder, F_OK) == 0 { chosen = MachineName.draw() }
        let paths = MachinePaths(home: home, name: chosen)
        let file = try describe(chosen, Date().timeIntervalSince1970)
        if MachineFile.isThere(paths.file) {
            throw MachineError("exists", "there is a machine `\(chosen)` already", fix: "choose another name, or remove it with `terrine rm \(chosen)`")
        }
        // A folder without the file is what a removal that was killed left behind.
        try removeFolder(paths.folder)
        try FileManager.default.createDirectory(atPath: paths.folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let lock = try FileLock(paths.lock)
        try images.pin(Self.pin(file.id), [try file.imageDigest()], durable: file.owner == nil)
        try file.save(paths.file)
        return (Machine(host: self, name: chosen), lock)
    }

    /// The name by which a machine keeps its image in the store.
    static func pin(_ id: String) -> String { "machine-\(id)" }

    // MARK: clearing away

    /// Removes the overlays among `candidates`, all when nil, that no machine's disk needs.
    ///
    /// - Returns: bytes that were freed.
    @discardableResult
    func collectOverlays(_ candidates: [String]? = nil) throws -> Int64 { try Self.collectOverlays(home: home, candidates) }

    static func collectOverlays(home: String, _ candidates: [String]? = nil) throws -> Int64 {
        let registry = try FileLock(home + "/machines/.lock")
        defer { withExtendedLifetime(registry) {} }
        // First what is there, then who needs it: an overlay is named in its machine's file before it is made.
        let found = try candidates ?? FileManager.default.contentsOfDirectory(atPath: home + "/overlays")
        if found.isEmpty { return 0 }
        var needed: Set<String> = []
        for name in try FileManager.default.contentsOfDirectory(atPath: home + "/machines") where MachineName.isValid(name) {
            // A file that cannot be read may name anything: then nothing is removed.
            if let file = try MachineFile.loadIfAny(MachinePaths(home: home, name: name).file) { needed.formUnion(file.overlays) }
        }
        var freed: Int64 = 0
        for id in found where !needed.contains(id) {
            let folder = "\(home)/overlays/\(id)"
            var status = stat()
            if stat(folder + "/data", &status) == 0 { freed += Int64(status.st_blocks) * 512 }
            try removeFolder(folder)
        }
        return freed
    }

    /// Bytes of this host's disk that all overlays take.
    public func overlayBytes() throws -> Int64 {
        try FileManager.default.contentsOfDirectory(atPath: home + "/overlays").reduce(0) { sum, id in
            var status = stat()
            return stat("\(home)/overlays/\(id)/data", &status) == 0 ? sum + Int64(status.st_blocks) * 512 : sum
        }
    }

    /// What clearing away found.
    public struct Reaped: Sendable, Codable {
        public var machines: [String] = []
        public var overlayBytes: Int64 = 0
    }

    /// Clears away what dead processes left: transient machines without an owner, machines whose time is over, networks and ids of lost machines, overlays that no disk needs.
    public func reap() throws -> Reaped {
        var reaped = Reaped()
        for machine in try machines() {
            guard let file = try machine.fileIfAny(), let lock = try FileLock(ifFree: machine.paths.lock) else { continue }
            let expired = file.expires.map { $0 < Date().timeIntervalSince1970 } ?? false
            let orphaned = file.owner.map { !$0.isAlive } ?? false
            let condition = file.condition
            if condition == .lost { try machine.clearUp(file) }
            // A machine that was only written down when its maker died, or whose owner did, nobody can want.
            if expired || orphaned && condition != .running || condition == .created {
                try machine.remove(locked: lock)
                reaped.machines.append(machine.name)
            }
        }
        try forgetTheGone()
        reaped.overlayBytes = try collectOverlays()
        return reaped
    }

    /// Takes away folders, pins and networks of machines that are no more.
    private func forgetTheGone() throws {
        // A machine that is being made has its pin before its file.
        let registry = try registryLock()
        defer { withExtendedLifetime(registry) {} }
        // What was killed as it made or removed a machine left its folder.
        for name in try FileManager.default.contentsOfDirectory(atPath: home + "/machines") {
            let isGrave = name.hasPrefix(".gone-")
            let paths = MachinePaths(home: home, name: name)
            if isGrave || MachineName.isValid(name) && !MachineFile.isThere(paths.file) { try removeFolder(paths.folder) }
        }
        let live = Set(try machines().compactMap { try $0.fileIfAny()?.id })
        for pin in try images.pins() where pin.hasPrefix("machine-") && !live.contains(String(pin.dropFirst("machine-".count))) { try images.unpin(pin) }
        try MachineNetwork.reap(live: live, home: home)
    }
}

extension MachineFile {
    func imageDigest() throws -> Digest {
        guard let digest = Digest(image) else { throw MachineError("corrupt", "`\(name)` names `\(image)` as its image, which is no digest") }
        return digest
    }
}

/// Removes a folder and all in it, if it is there; another process may do the same at the time.
func removeFolder(_ path: String) throws {
    for attempt in 0... {
        guard access(path, F_OK) == 0 else { return }
        do { return try FileManager.default.removeItem(atPath: path) } catch  where attempt < 20 { usleep(2000) }
    }
}
