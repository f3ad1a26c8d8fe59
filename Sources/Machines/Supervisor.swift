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

    /// Runs until the keeper closes the control socket or the mount is gone.
    ///
    /// - Parameter arguments: the machine store's home and the machine's name.
    public static func main(_ arguments: [String]) -> Int32 {
        guard arguments.count == 2 else { return 2 }
        signal(SIGPIPE, SIG_IGN)
        // Not for the out-of-memory killer, whose victim would wait for this disk; and this process is beneath a block device.
        do { try writeSmallFile("/proc/self/oom_score_adj", "-900") } catch { log("cannot ask to be spared when memory is short: \(error)") }
        let setIOFlusher: Int32 = 57
        _ = clinux_prctl(setIOFlusher, 1, 0)
        let channel = ControlChannel(UnixSocket(Descriptor(owning: controlDescriptor)))
        do {
            try SupervisorSession(home: arguments[0], name: arguments[1], channel: channel).run()
            return 0
        } catch {
            log("\(error)")
            return 1
        }
    }

    static func log(_ line: String) {
        let text = "\(timestamp()) supervisor \(getpid()): \(line)\n"
        // The log is the last resort; there is nowhere else to tell.
        _ = text.withCString { write(2, $0, strlen($0)) }
    }

    static func timestamp() -> String { Date().formatted(.iso8601) }
}

private final class SupervisorSession {
    private let paths: MachinePaths
    private let images: ImageStore
    private let channel: ControlChannel
    private var lastSealed: SealedOverlay?

    init(home: String, name: String, channel: ControlChannel) throws {
        paths = MachinePaths(home: home, name: name)
        self.channel = channel
        images = try ImageStore(home: home)
    }

    func run() throws {
        guard let (first, descriptors) = try channel.receive(SupervisorRequest.self) else { return }
        guard case .serve(let description, let resumed, let names) = first, descriptors.count == names.count + 1 else {
            throw MachineError("internal", "a supervisor was started without a disk to serve")
        }
        let disk: Disk
        let export: FUSEExport
        do {
            disk = try open(description, liveStates: Dictionary(zip(names, descriptors.dropFirst())) { $1 })
            export = try FUSEExport(descriptor: descriptors[0], backend: disk, threads: 4, resumed: resumed, log: Supervisor.log)
            try export.start()
        } catch {
            try channel.send(SupervisorAnswer(error: ErrorText(error)))
            throw error
        }
        try channel.send(SupervisorAnswer())
        while let (request, descriptors) = try channel.receive(SupervisorRequest.self) {
            do {
                try channel.send(try answer(request, descriptors, disk))
            } catch {
                Supervisor.log("\(error)")
                try channel.send(SupervisorAnswer(error: ErrorText(error)))
            }
        }
        // The keeper has gone, or wants this process to: whoever serves next opens the same live state.
        export.stop()
    }

    private func open(_ description: DiskDescription, liveStates: [String: Descriptor]) throws -> Disk {
        let reader = try images.reader(of: images.image(digest(description.image)))
        let sealed = try description.sealed.map { try SealedOverlay.open(paths.overlay($0), liveState: liveStates[$0]) }
        let top: Overlay
        let folder = paths.overlay(description.top)
        // A seal names its next overlay before it makes it: without a state file there was never a write to it.
        if access(folder + "/state", F_OK) == 0 {
            top = try Overlay.open(folder, liveState: liveStates[description.top], volatile: description.isVolatile)
        } else {
            unlink(folder + "/data")
            top = try Overlay.create(in: folder, size: description.size, liveState: liveStates[description.top], volatile: description.isVolatile)
        }
        return try Disk(source: reader, sealed: sealed, overlay: top)
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
