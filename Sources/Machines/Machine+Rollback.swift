import ChunkStore
import Foundation
import Images
import Linux

extension Machine {
    /// Goes back, in place, to `target`; when that is nil to its last checkpoint, or else to what it started from. It runs again if it ran before.
    public func rollBack(to target: Image?) throws {
        let lock = try lock()
        let before = try file()
        let wasRunning = before.condition == .running
        if let target { try host.requireTrust(in: target.digest, named: nil, isTrusted: before.settings.trustsImage == true) }
        if let target, target.virtualBytes > before.diskSize {
            throw MachineError(
                "invalid", "the image's disk of \(target.virtualBytes) bytes is larger than that of `\(name)`, \(before.diskSize)",
                fix: "`terrine start` a machine from it")
        }
        try end(as: .stopped, grace: 0, trims: false, discards: true)
        // Its keeper may have written the file once more.
        let old = try file()
        let digest = try target?.digest ?? old.imageDigest()
        try host.images.pin(MachineHost.pin(old.id), [try old.imageDigest(), digest])
        try change {
            $0.image = digest.description
            if target != nil { $0.origin = [] }
            $0.sealed = $0.origin
            $0.top = MachineName.drawID()
        }
        try host.images.pin(MachineHost.pin(old.id), [digest])
        try host.collectOverlays(old.overlays)
        if wasRunning { try launchOrStop(lock) }
    }

    /// Takes its parent's place, name and settings; what the parent was stays as an image.
    ///
    /// - Returns: the parent's machine, which now has this one's disk, and the reference of what it was.
    public func promote() throws -> (machine: Machine, replaced: String) {
        guard let parentName = try file().parent else {
            throw MachineError("invalid", "`\(name)` is no fork", fix: "`terrine ps` tells which machine is whose fork")
        }
        guard let parent = try? host.machine(parentName) else {  // Whatever is wrong with it, its place cannot be taken.
            throw MachineError("notFound", "`\(parentName)`, from which `\(name)` was forked, is gone", fix: "keep the fork as it is")
        }
        // Always in one order, or two promotions could wait for each other.
        let (lower, higher) = name < parentName ? (self, parent) : (parent, self)
        let (first, second) = (try lower.lock(), try higher.lock())
        let (lock, parentLock) = name < parentName ? (first, second) : (second, first)
        let wasRunning = try parent.file().condition == .running
        let replaced = "\(parentName):before-\(name)"
        try host.images.tag(replaced, try parent.pack(try parent.seal()), checkpointOf: parentName)

        try end(as: .stopped, grace: 10, trims: false)
        let state = try sealAtRest()
        try parent.end(as: .stopped, grace: 10, trims: false)
        let old = try parent.file()
        let size = max(old.diskSize, try file().diskSize)
        try host.images.pin(MachineHost.pin(old.id), [try old.imageDigest(), state.image])
        // One write: before it the parent is as it was, after it what its fork was.
        try parent.change {
            $0.image = state.image.description
            $0.sealed = state.sealed
            $0.origin = state.sealed
            $0.top = MachineName.drawID()
            $0.diskSize = size
        }
        try host.images.pin(MachineHost.pin(old.id), [state.image])
        try MachineHost.removeFiles(of: try file(), paths: paths)
        try host.collectOverlays(old.overlays)
        withExtendedLifetime(lock) {}
        if wasRunning { try parent.launchOrStop(parentLock) }
        try parent.sumInBackground(state.sealed)
        return (parent, replaced)
    }
}
