import ChunkStore
import Disks
import Foundation
import Glibc
import Images
import Linux

/// What a checkpoint came to.
public struct Checkpoint: Codable, Sendable {
    public var id: String
    /// How it was named; nil: by its digest alone.
    public var image: String?
    /// Nil while it is still being packed.
    public var digest: String?
    /// How long the machine could not write; 0 when it did not run.
    public var pauseMilliseconds: Double
    /// From the call until the image was durable; nil while it is being packed.
    public var durableMilliseconds: Double?
    /// Bytes written since the last one.
    public var dirtyBytes: Int64
}

/// A disk at one moment, as others can start from it: its image, and sealed overlays over it.
struct DiskState: Sendable {
    var image: Digest
    /// Oldest first.
    var sealed: [String]
    var pauseMilliseconds = 0.0
    var dirtyBytes: Int64 = 0
}

extension Machine {
    /// Makes an image of its disk while it runs on.
    ///
    /// - Parameters:
    ///   - reference: `name[:tag]` for the image.
    ///   - inBackground: returns at the seal; another process makes the image.
    public func checkpoint(as reference: String?, inBackground: Bool = false) throws -> Checkpoint {
        let clock = ContinuousClock()
        let start = clock.now
        // A store that is too full is told before the machine pauses.
        try host.images.makeRoom()
        let lock = try lock()
        let state = try seal()
        var checkpoint = Checkpoint(
            id: state.sealed.last ?? String(state.image.hex.prefix(16)), image: reference, pauseMilliseconds: state.pauseMilliseconds,
            dirtyBytes: state.dirtyBytes)
        if inBackground {
            try packInBackground(reference, lock)
            return checkpoint
        }
        let image = try pack(state)
        if let reference { try host.images.tag(reference, image, checkpointOf: name) }
        checkpoint.digest = image.digest.description
        checkpoint.durableMilliseconds = start.duration(to: clock.now) / .milliseconds(1)
        return checkpoint
    }

    /// Goes on in a new overlay. The machine's lock is held.
    func seal() throws -> DiskState {
        let file = try file()
        switch file.condition {
        case .running:
            let answer = try ask(.seal)
            guard let digest = answer.image.flatMap(Digest.init) else { throw MachineError("internal", "the keeper of `\(name)` named no image") }
            return DiskState(
                image: digest, sealed: answer.sealed, pauseMilliseconds: answer.pauseMilliseconds ?? 0, dirtyBytes: answer.dirtyBytes ?? 0)
        case .lost:
            try clearUp(file)
            return try sealAtRest()
        case .created, .stopped, .hibernated, .sealed:
            return try sealAtRest()
        }
    }

    /// The same for a machine that does not run.
    func sealAtRest() throws -> DiskState {
        let old = try file()
        // A disk that was never written to has no overlay.
        guard try Overlay.exists(in: paths.overlay(old.top)) else { return DiskState(image: try old.imageDigest(), sealed: old.sealed) }
        try change {
            $0.sealed.append(old.top)
            $0.top = MachineName.drawID()
        }
        let overlay = try SealedOverlay.open(paths.overlay(old.top))
        return DiskState(image: try old.imageDigest(), sealed: old.sealed + [old.top], dirtyBytes: overlay.dirtyBytes)
    }

    /// Makes an image of `state`, and lets the machine stand on it. The machine's lock is held.
    func pack(_ state: DiskState) throws -> Image {
        let parent = try host.images.image(state.image)
        if state.sealed.isEmpty { return parent }
        var draft = ImageDraft(continuing: parent)
        draft.virtualBytes = try file().diskSize
        draft.step = Image.checkpointStep
        let image = try write(draft, state, level: 1)
        try stand(on: image, instead: state)
        return image
    }

    /// Writes what `state` changes over its image; the image itself when that is nothing.
    func write(_ draft: ImageDraft, _ state: DiskState, level: Int32) throws -> Image {
        let parent = try host.images.image(state.image)
        let stack = try state.sealed.map { try SealedOverlay.open(paths.overlay($0)) }
        let source = try host.images.reader(of: parent)
        if draft.virtualBytes == parent.virtualBytes, try MountBookkeeping.isAll(of: stack, over: source) { return parent }
        return try host.images.write(draft, level: level) { layer in
            try packSealed(stack, over: source, skippingUnchanged: false) { try layer.add($0, $1) }
        }
    }

    /// From now on the machine's disk is `image` and what was written after `state`.
    private func stand(on image: Image, instead state: DiskState) throws {
        let pin = MachineHost.pin(try file().id)
        try host.images.pin(pin, [state.image, image.digest])
        if try file().condition == .running {
            _ = try ask(.rebase(image: image.digest.description, dropping: state.sealed))
        } else {
            try change {
                $0.image = image.digest.description
                $0.sealed.removeFirst(state.sealed.count)
            }
        }
        try host.images.pin(pin, [image.digest])
        try change { $0.origin = [] }
        try host.collectOverlays(state.sealed)
    }

    // MARK: --async

    /// Another process packs, under the lock that it inherits: nobody seals or stops the machine in between.
    private func packInBackground(_ reference: String?, _ lock: FileLock) throws {
        var command = Command(host.executable, ["__pack", host.home, name] + (reference.map { [$0] } ?? []))
        let null = try Descriptor("/dev/null", O_RDONLY)
        let log = try Descriptor(paths.log, O_WRONLY | O_CREAT | O_APPEND)
        command.descriptors = [0: null.raw, 1: log.raw, 2: log.raw, Self.packLockDescriptor: lock.descriptor.raw]
        command.workingFolder = "/"
        command.newSession = true
        _ = try command.start()
    }

    private static let packLockDescriptor: Int32 = 3

    /// The other process: the arguments are the home, the machine and the reference, if any.
    public static func packMain(_ arguments: [String]) -> Int32 {
        guard arguments.count >= 2 else { return 2 }
        CrashPoint.play(.packer)
        let lock = Descriptor(owning: packLockDescriptor)
        do {
            let images = try ImageStore(home: arguments[0])
            let machine = try MachineHost(home: arguments[0], images: images).machine(arguments[1])
            let file = try machine.file()
            let image = try machine.pack(DiskState(image: file.imageDigest(), sealed: file.sealed))
            if arguments.count > 2 { try images.tag(arguments[2], image, checkpointOf: machine.name) }
            withExtendedLifetime(lock) {}
            return 0
        } catch {
            Keeper.log("the checkpoint in the background failed, and the next one will hold what it should have: \(error)")
            return 1
        }
    }
}
