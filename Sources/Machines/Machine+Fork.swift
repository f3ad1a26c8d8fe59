import ChunkStore
import Foundation
import Images
import Linux
import Synchronization

/// What a fork came to.
public struct Forks: Sendable {
    public var machines: [Machine]
    /// From the call until every fork's disk was there, durably, at the state that the parent's had; the machines' start comes after it.
    public var diskMilliseconds: Double?

    public init(_ machines: [Machine], diskMilliseconds: Double? = nil) { (self.machines, self.diskMilliseconds) = (machines, diskMilliseconds) }
}

extension Machine {
    /// How many sealed overlays a disk may stand on before a fork packs them: every one makes reads a little slower.
    private static let overlayLimit = 8

    /// Machines that start from this one's disk as it is now. Its processes, and what it has in memory file systems, are not taken along; nor its ports.
    ///
    /// - Parameters:
    ///   - names: one for each fork; nil: a name is drawn.
    ///   - timeToLive: after so long `gc` removes the forks; nil: never.
    public func fork(_ names: [String?], timeToLive: Duration? = nil) throws -> Forks {
        let clock = ContinuousClock()
        let start = clock.now
        let lock = try lock()
        var state = try seal()
        if state.sealed.count > Self.overlayLimit { state = DiskState(image: try pack(state).digest, sealed: []) }
        let parent = try file()
        var made: [(machine: Machine, lock: FileLock)] = []
        do {
            for wanted in names { made.append(try host.make(name: wanted) { MachineFile(fork: parent, of: state, name: $0, now: $1, timeToLive) }) }
        } catch {
            for child in made { try child.machine.remove(locked: child.lock) }
            throw error
        }
        withExtendedLifetime(lock) {}
        let taken = start.duration(to: clock.now)
        try bringUp(made)
        try sumInBackground(state.sealed)
        return Forks(made.map(\.machine), diskMilliseconds: taken / .milliseconds(1))
    }

    /// All at once: most of a start is waiting.
    private func bringUp(_ children: [(machine: Machine, lock: FileLock)]) throws {
        let starts = try children.map { child in try SideWork { [host] in try host.bringUpNew(child.machine, child.lock) } }
        var failure: (any Error)?
        for start in starts { do { try start.finish() } catch { failure = failure ?? error } }
        guard let failure else { return }
        for child in children where try child.machine.fileIfAny() != nil { try child.machine.remove(locked: child.lock) }
        throw failure
    }
}

extension MachineFile {
    /// A machine over the disk `state` of `parent`.
    init(fork parent: MachineFile, of state: DiskState, name: String, now: Double, _ timeToLive: Duration? = nil) {
        self = parent
        self.name = name
        id = MachineName.drawID()
        created = now
        self.state = .created
        image = state.image.description
        sealed = state.sealed
        origin = state.sealed
        top = MachineName.drawID()
        settings.ports = []
        (keeper, supervisor, lastError) = (nil, nil, nil)
        expires = timeToLive.map { now + $0 / .seconds(1) }
        owner = nil
        self.parent = parent.name
    }
}
