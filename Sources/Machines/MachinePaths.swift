/// Where the parts of one machine are.
struct MachinePaths: Sendable {
    let home: String
    let name: String

    var folder: String { "\(home)/machines/\(name)" }
    var file: String { folder + "/machine.json" }
    /// Held by whoever changes what the machine is: start, checkpoint, stop, remove.
    var lock: String { folder + "/lock" }
    /// The keeper listens here.
    var socket: String { folder + "/keeper.sock" }
    var log: String { folder + "/keeper.log" }
    /// Output of the services, a file each.
    var logs: String { folder + "/logs" }
    /// Seen in the keeper's mount namespace only: the FUSE mount, the file system on it, and the same with mapped owners.
    var fuse: String { folder + "/fuse" }
    var disk: String { folder + "/disk" }
    var root: String { folder + "/root" }
    /// The OCI bundle, and the runtime's own state.
    var bundle: String { folder + "/bundle" }
    /// What the machine's processes get as environment, this host's proxies and certificates included.
    var environment: String { bundle + "/environment.json" }
    var runtimeState: String { folder + "/runtime" }
    /// What of the host is mounted into the machine.
    var host: String { folder + "/host" }

    func overlay(_ id: String) -> String { "\(home)/overlays/\(id)" }

    /// The machine's file system as other processes reach it, through its keeper's mount namespace.
    func disk(through keeper: Int32) -> String { "/proc/\(keeper)/root\(disk)" }
}
