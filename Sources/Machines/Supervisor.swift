import CLinux
import ChunkStore
import Disks
import Foundation
import Glibc
import Images
import Linux

/// The process that serves a machine's disk. It may die, or be replaced, at any time: its keeper starts the next one on the same FUSE device.
///
/// It never touches what lies on its own disk: killed in such a call it could not be reaped.
public enum Supervisor {
    /// Descriptors that the keeper hands over.
    static let controlDescriptor: Int32 = 3

    /// The supervisor as a program of its own, which is what all are but a machine's first.
    public static func main(_ arguments: [String]) -> Int32 { main(ControlChannel(UnixSocket(Descriptor(owning: controlDescriptor)))) }

    /// Runs until the keeper closes the control socket or the mount is gone.
    ///
    /// - Parameter home: whose store it opens before it gets its disk.
    static func main(_ channel: ControlChannel, expecting home: String? = nil) -> Int32 {
        CrashPoint.play(.supervisor)
        signal(SIGPIPE, SIG_IGN)
        // Not for the out-of-memory killer, whose victim would wait for this disk; and this process is beneath a block device.
        do { try writeSmallFile("/proc/self/oom_score_adj", "-900") } catch { log("cannot ask to be spared when memory is short: \(error)") }
        let setIOFlusher: Int32 = 57
        _ = clinux_prctl(setIOFlusher, 1, 0)
        do {
            try run(channel, home.flatMap(EarlyStore.init))
            return 0
        } catch {
            log("\(error)")
            return 1
        }
    }

    private static func run(_ channel: ControlChannel, _ early: EarlyStore?) throws {
        guard let (first, descriptors) = try channel.receive(SupervisorRequest.self) else { return }
        guard case .serve(let home, let machine, let description, let resumed, let names) = first, descriptors.count == names.count + 2 else {
            throw MachineError("internal", "a supervisor was started without a disk to serve")
        }
        for number: Int32 in 1...2 { try replaceDescriptor(number, with: descriptors[1]) }
        setProcessTitle("terrine __supervisor \(home) \(machine)")
        let session: SupervisorSession
        let disk: Disk
        let export: FUSEExport
        do {
            session = try timed("open the store") { try SupervisorSession(home: home, name: machine, channel: channel, early) }
            disk = try timed("open the disk") {
                try session.open(description, liveStates: Dictionary(zip(names, descriptors.dropFirst(2))) { $1 }, isStart: !resumed)
            }
            export = try FUSEExport(descriptor: descriptors[0], backend: disk, threads: 4, resumed: resumed, log: log)
            try export.start()
        } catch {
            try channel.send(SupervisorAnswer(error: ErrorText(error)))
            throw error
        }
        try session.serve(disk)
        // The keeper has gone, or wants this process to: whoever serves next opens the same live state.
        export.stop()
    }

    static func log(_ line: String) {
        let text = "\(timestamp()) supervisor \(getpid()): \(line)\n"
        // The log is the last resort; there is nowhere else to tell.
        _ = text.withCString { write(2, $0, strlen($0)) }
    }

    /// Now, as in `2026-11-26T12:00:00Z`. Not Foundation's: that reads calendars for a millisecond, and each start waits for it.
    static func timestamp() -> String {
        var (now, parts) = (time(nil), tm())
        gmtime_r(&now, &parts)
        return String(unsafeUninitializedCapacity: 32) { text in
            text.withMemoryRebound(to: CChar.self) { strftime($0.baseAddress, $0.count, "%Y-%m-%dT%H:%M:%SZ", &parts) }
        }
    }
}

/// A store that was opened before anybody said that it is the one.
private struct EarlyStore {
    private let home: String
    private let images: ImageStore
    /// The index's device and inode.
    private let index: [UInt64]

    /// nil where there is no store yet: to make one is for who was told to.
    init?(home: String) {
        // What is wrong with it is told when it is wanted.
        guard let index = Self.index(of: home), let images = try? ImageStore(home: home) else { return nil }
        (self.home, self.images, self.index) = (home, images, index)
    }

    /// nil when another one is wanted, or its index was replaced in the meantime.
    func store(of home: String) -> ImageStore? { home == self.home && Self.index(of: home) == index ? images : nil }

    private static func index(of home: String) -> [UInt64]? {
        var status = stat()
        return stat(home + "/store/index.sqlite", &status) == 0 && status.st_size > 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : nil
    }
}

private final class SupervisorSession {
    private let paths: MachinePaths
    private let images: ImageStore
    private let channel: ControlChannel
    private var lastSealed: SealedOverlay?

    init(home: String, name: String, channel: ControlChannel, _ early: EarlyStore?) throws {
        paths = MachinePaths(home: home, name: name)
        self.channel = channel
        images = try early?.store(of: home) ?? ImageStore(home: home)
    }

    /// Answers the keeper until it closes the socket.
    func serve(_ disk: Disk) throws {
        try channel.send(SupervisorAnswer())
        while let (request, descriptors) = try channel.receive(SupervisorRequest.self) {
            do {
                try channel.send(try answer(request, descriptors, disk))
            } catch {
                Supervisor.log("\(error)")
                try channel.send(SupervisorAnswer(error: ErrorText(error)))
            }
        }
    }

    /// - Parameter isStart: whether a machine comes up on it; else another server had it.
    func open(_ description: DiskDescription, liveStates: [String: Descriptor], isStart: Bool) throws -> Disk {
        let reader = try images.reader(of: images.image(digest(description.image)))
        let sealed = try description.sealed.map { try SealedOverlay.open(paths.overlay($0), liveState: liveStates[$0]) }
        let top: Overlay
        let folder = paths.overlay(description.top)
        // A seal names its next overlay before it makes it.
        if try Overlay.exists(in: folder) {
            top = try Overlay.open(folder, liveState: liveStates[description.top], volatile: description.isVolatile)
        } else {
            for name in ["/data", "/state"] { unlink(folder + name) }
            top = try Overlay.create(in: folder, size: description.size, liveState: liveStates[description.top], volatile: description.isVolatile)
        }
        if !isStart { return try Disk(source: reader, sealed: sealed, overlay: top) }
        let image = try digest(description.image)
        let profile = images.startProfile(of: image)
        let disk = try Disk(source: reader, sealed: sealed, overlay: top, expected: profile)
        _ = try PlainThread { [images] in Self.watchStart(of: disk, profile, image, images) }
        return disk
    }

    /// Writes down what this start reads, when that is news.
    private static func watchStart(of disk: Disk, _ profile: [UInt64], _ image: Digest, _ images: ImageStore) {
        var known = profile
        // Not only once: a machine may be gone as soon as its command has ended.
        for _ in 0..<5 {
            usleep(40_000)
            let all = known + Set(disk.firstReads).subtracting(known).sorted()
            // A command of its own each time must not make it grow for ever.
            guard known.count < Disk.rememberedReads, all.count > known.count + known.count / 8 else { continue }
            known = Array(all.prefix(Disk.rememberedReads))
            // Only a hint; a store that cannot be written has none.
            try? images.saveStartProfile(known, of: image)
        }
    }

    private func digest(_ text: String) throws -> Digest {
        guard let digest = Digest(text) else { throw MachineError("corrupt", "\(paths.file) names `\(text)` as its image, which is no digest") }
        return digest
    }

    private func answer(_ request: SupervisorRequest, _ descriptors: [Descriptor], _ disk: Disk) throws -> SupervisorAnswer {
        switch request {
        case .serve: throw MachineError("internal", "a supervisor serves one disk")
        case .seal(let next):
            let overlay = try Overlay.create(in: paths.overlay(next), size: disk.size, liveState: descriptors.first)
            let sealed = try disk.seal(next: overlay, recording: false)
            lastSealed = sealed
            return SupervisorAnswer(dirtyBytes: sealed.dirtyBytes)
        case .recordSeal:
            try lastSealed?.record()
            lastSealed = nil
        case .rebase(let image, let dropping):
            try disk.rebase(source: try images.reader(of: images.image(digest(image))), dropping: dropping)
        case .flush:
            try disk.flush()
            try disk.overlay.settle()
        }
        return SupervisorAnswer()
    }
}
