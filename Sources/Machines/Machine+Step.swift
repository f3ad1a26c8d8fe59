import ChunkStore
import Disks
import Glibc
import Images
import Linux

/// What a build step did to its disk.
public struct StepResult: Sendable {
    /// Bytes that it wrote, in whole blocks.
    public var dirtyBytes: Int64
}

extension Machine {
    /// Ends a build step: its processes are killed, its file system trimmed and cleanly unmounted. Then it can only be committed or removed.
    public func sealStep() throws -> StepResult {
        let lock = try lock()
        return try withExtendedLifetime(lock) {
            _ = try requireRunning()
            try end(as: .sealed, grace: 0, trims: true)
            let file = try file()
            guard file.state == .sealed else {
                throw MachineError("unclean", "the step's machine ended by itself", cause: file.lastError, fix: "run the build again")
            }
            return StepResult(dirtyBytes: try stack(file).reduce(0) { $0 + $1.dirtyBytes })
        }
    }

    private func stack(_ file: MachineFile) throws -> [SealedOverlay] {
        try file.overlays.filter { try Overlay.exists(in: paths.overlay($0)) }.map {
            try SealedOverlay.open(paths.overlay($0), volatile: file.owner != nil)
        }
    }

    /// Makes an image of a sealed step, durable when this returns; its parent when the step changed nothing and `draft` asks for nothing new.
    public func commit(_ draft: ImageDraft, level: Int32 = 3) throws -> Image {
        let lock = try lock()
        return try withExtendedLifetime(lock) {
            let file = try file()
            guard file.state == .sealed else { throw MachineError("internal", "`\(name)` is no sealed step") }
            let state = DiskState(image: try file.imageDigest(), sealed: try stack(file).map(\.id))
            let parent = try host.images.image(state.image)
            let source = try host.images.reader(of: parent)
            let overlays = try stack(file)
            let isUnchanged = try MountBookkeeping.isAll(of: overlays, over: source)
            return try host.images.write(draft, level: level) { layer in
                if !isUnchanged { try packSealed(overlays, over: source, skippingUnchanged: false) { try layer.add($0, $1) } }
            }
        }
    }
}
