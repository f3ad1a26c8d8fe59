import ChunkStore
import Disks
import Foundation
import Glibc
import Images
import Linux

extension MachineHost {
    /// Reads what machines wrote, as far as it has checksums and nobody writes it now, and says what is wrong with it.
    ///
    /// - Parameter backup: a home whose copies of the same overlays mend what they can.
    /// - Returns: the problems that are left, and how many chunks were mended.
    public func verify(repairingFrom backup: String? = nil) throws -> (problems: [ImageStore.Verification.Problem], mended: Int) {
        var problems: [ImageStore.Verification.Problem] = []
        var mended = 0
        var seen: Set<String> = []
        for machine in try machines(problem: { problems.append(.init(message: "\($0)")) }) {
            guard let file = try machine.fileIfAny() else { continue }
            for id in file.sealed where seen.insert(id).inserted {
                mended += try verify(id, of: machine, mustExist: true, backup) { problems.append($0) }
            }
            // Nobody starts the machine while its top is read; one that runs, or is being started, is left alone.
            guard let lock = try FileLock(ifFree: machine.paths.lock), let file = try machine.fileIfAny(),
                [.stopped, .hibernated].contains(file.condition)
            else { continue }
            mended += try verify(file.top, of: machine, mustExist: false, backup) { problems.append($0) }
            withExtendedLifetime(lock) {}
        }
        return (problems, mended)
    }

    /// - Parameter mustExist: an overlay that was never written to has no files.
    private func verify(
        _ id: String, of machine: Machine, mustExist: Bool, _ backup: String?, report: (ImageStore.Verification.Problem) -> Void
    ) throws -> Int {
        let folder = machine.paths.overlay(id)
        func tell(_ message: String) throws {
            // A machine that was removed meanwhile has no damage.
            if try machine.fileIfAny()?.overlays.contains(id) ?? false { report(.init(message: message, machines: [machine.name])) }
        }
        do {
            guard try Overlay.exists(in: folder) else {
                if mustExist { try tell("the overlay \(folder) is gone; `terrine rollback \(machine.name)` goes back to the last checkpoint") }
                return 0
            }
            let overlay = try RestingOverlay(folder)
            guard let damaged = try overlay.verify(), !damaged.isEmpty else { return 0 }
            if let backup, try Overlay.exists(in: "\(backup)/overlays/\(id)"),
                try overlay.repair(damaged, from: RestingOverlay("\(backup)/overlays/\(id)"))
            {
                return damaged.count
            }
            try tell(
                "the overlay \(folder) is damaged in \(damaged.count) of its chunks, the first at byte \(damaged[0] * UInt64(ChunkStore.chunkBytes)) of the disk; "
                    + "`terrine verify --repair --from HOME` mends it from a copy, `terrine rollback \(machine.name)` goes back to the last checkpoint")
        } catch let error as DiskError where error.code == "busy" {
            // Somebody has just begun to write it.
        } catch { try tell("\(error)") }
        return 0
    }
}

extension Machine {
    /// Another process, which nobody waits for, reads sealed overlays that are there to stay and writes down their checksums.
    func sumInBackground(_ overlays: [String]) throws {
        let missing = overlays.filter { access(paths.overlay($0) + "/checksums", F_OK) != 0 }
        if missing.isEmpty { return }
        var command = Command(host.executable, ["__sum"] + missing.map(paths.overlay))
        let null = try Descriptor("/dev/null", O_RDWR)
        command.descriptors = [0: null.raw, 1: null.raw, 2: null.raw]
        command.workingFolder = "/"
        command.newSession = true
        _ = try command.start()
    }

    /// The other process: the arguments are the overlays' folders.
    public static func sumMain(_ folders: [String]) -> Int32 {
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        for folder in folders {
            // Whoever removes an overlay does not wait for its checksums; `verify` can do without them.
            do { try RestingOverlay(folder).writeChecksums() } catch { return 1 }
        }
        return 0
    }

    /// Writes down the checksums of all of a disk that nobody writes; the machine's lock is held.
    func sumAtRest() throws {
        for id in try file().overlays where try Overlay.exists(in: paths.overlay(id)) { try RestingOverlay(paths.overlay(id)).writeChecksums() }
    }
}
