import Images
import Linux

/// What a machine shall be.
public struct MachineSpec: Sendable {
    /// Nil: one is drawn.
    public var name: String?
    public var image: Image
    /// How the image was named, for people; its digest when nil.
    public var imageReference: String?
    /// Over the image's own.
    public var environment: [String: String] = [:]
    /// A name, or `uid[:gid]`; the image's when nil.
    public var user: String?
    /// Absolute; the image's when nil.
    public var workingFolder: String?
    /// Processors' worth of time; the image's when nil.
    public var cpus: Double?
    /// Bytes; the image's when nil.
    public var memory: Int64?
    /// Processes and threads.
    public var pids: Int?
    /// Bytes; what is smaller than the image's disk is an error.
    public var diskSize: Int64?
    public var network: NetworkChoice?
    public var ports: [MachineDefaults.Port] = []
    public var binds: [Bind] = []
    public var startsServices = true
    /// Whether the image's scripts for a first start are run; a build's steps do not, or what they make would be in every machine.
    public var runsFirstStart = true
    /// What it takes for its host's name; the machine's own when nil. Programs write it into what they make.
    public var hostname: String?
    /// Goes when its owner does: for one command, or one step of a build.
    public var isTransient = false
    /// Start it although the image is foreign: its owner vouches for what is on the disk.
    public var trustsImage = false
    /// After so long `gc` removes it; nil: never.
    public var timeToLive: Duration?
    /// The OCI runtime's program.
    public var runtime = "runc"

    public init(image: Image) { self.image = image }

    var needsFirstStart: Bool { runsFirstStart && image.machine.hasFirstStart == true }
}

extension MachineFile {
    /// A machine that has not started yet, as `spec` says and, where it is silent, its image.
    init(_ spec: MachineSpec, name: String, sealed: [String] = [], now: Double) throws {
        let defaults = spec.image.machine
        let wanted = spec.diskSize ?? defaults.disk ?? spec.image.virtualBytes
        if let asked = spec.diskSize, asked < spec.image.virtualBytes {
            throw MachineError(
                "invalid", "a disk of \(asked >> 20) MiB cannot hold the image's \(spec.image.virtualBytes >> 20) MiB",
                fix: "a disk can grow, not shrink: ask for at least as much")
        }
        let network: NetworkChoice
        if let asked = spec.network {
            network = asked
        } else {
            switch defaults.network {
            case "none": network = .none
            case "open": network = .open(allow: [])
            default:
                throw MachineError(
                    "unsupported", "the image asks for the network `\(defaults.network)`, which this terrine does not know",
                    fix: "say `--network none` or `--network open`")
            }
        }
        var settings = Settings()
        settings.environment = spec.image.environment.merging(spec.environment) { $1 }
        settings.user = spec.user ?? defaults.user
        settings.workingFolder = spec.workingFolder ?? defaults.workingFolder
        settings.cpus = spec.cpus ?? defaults.cpus
        settings.memory = spec.memory ?? defaults.memory
        settings.pids = spec.pids
        settings.network = network
        settings.ports = spec.ports.isEmpty ? defaults.ports : spec.ports
        settings.binds = spec.binds
        settings.services = spec.startsServices ? defaults.services : []
        settings.runsFirstStart = spec.needsFirstStart ? true : nil
        settings.runtime = spec.runtime
        settings.hostname = spec.hostname
        settings.trustsImage = spec.trustsImage ? true : nil
        self.init(
            name: name, id: MachineName.drawID(), created: now, state: .created, image: spec.image.digest.description,
            imageReference: spec.imageReference ?? spec.image.digest.description, sealed: sealed, top: MachineName.drawID(), origin: sealed,
            diskSize: max(wanted, spec.image.virtualBytes), settings: settings, owner: spec.isTransient ? .current : nil,
            expires: spec.timeToLive.map { now + $0 / .seconds(1) })
    }
}
