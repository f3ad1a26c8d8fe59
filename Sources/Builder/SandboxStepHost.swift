import Glibc
import Images
import Linux
import Machines
import Synchronization

/// Build machines that are sandboxes of this host.
public final class SandboxStepHost: StepHost {
    private let host: MachineHost
    private let trustsImages: Bool
    private let hasReaped = Mutex(false)

    /// - Parameter trustsImages: whether machines start although their image is foreign.
    public init(_ host: MachineHost, trustsImages: Bool = false) { (self.host, self.trustsImages) = (host, trustsImages) }

    public func start(_ request: StepMachineRequest) throws -> any StepMachine {
        // What killed builds left goes before there is more.
        try hasReaped.withLock { hasReaped in
            if !hasReaped { _ = try host.reap() }
            hasReaped = true
        }
        var spec = MachineSpec(image: request.image)
        spec.isTransient = true
        spec.trustsImage = trustsImages
        // The same on every host and each time: CMake, autotools and many tests write it down.
        spec.hostname = "build"
        (spec.startsServices, spec.runsFirstStart) = (request.startsServices, request.runsFirstStart)
        spec.network = request.network == .none ? NetworkChoice.none : .open(allow: [])
        spec.cpus = request.cpus
        spec.memory = request.memory
        spec.pids = request.processes
        // A layer fits only a disk of its parent's size; machines of the image grow it as they like.
        spec.diskSize = request.image.virtualBytes
        spec.binds = request.binds.sorted { $0.key < $1.key }.map { Bind(source: $0.key, target: $0.value, readOnly: false) }
        return SandboxStepMachine(machine: try host.start(spec))
    }
}

struct SandboxStepMachine: StepMachine {
    let machine: Machine

    var root: RootedFolder { get throws { try machine.root } }

    func run(_ command: StepCommand) throws -> StepExit {
        var spec = ExecSpec(command.arguments)
        spec.environment = command.environment
        spec.user = command.user
        spec.workingFolder = command.workingFolder
        spec.timeout = command.timeout
        let nothing = try Descriptor("/dev/null", O_RDONLY)
        spec.descriptors = [0: nothing.raw, 1: command.output.raw, 2: command.output.raw]
        // Ctrl-C is for the build, which ends the machine.
        spec.passesSignals = false
        do {
            return .ended(try machine.run(spec))
        } catch let error as MachineError where error.code == "timeout" {
            return .timedOut
        }
    }

    func commit(_ draft: ImageDraft) throws -> (image: Image, bytes: Int64) {
        let result = try machine.sealStep()
        let image = try machine.commit(draft)
        try machine.remove()
        return (image, result.dirtyBytes)
    }

    func remove() throws {
        do {
            try machine.remove()
        } catch let error as MachineError where error.code == "notFound" {
            // Gone already.
        }
    }
}
