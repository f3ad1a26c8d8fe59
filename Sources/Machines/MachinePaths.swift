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
    /// Seen in the keeper's mount namespace only: the FUSE mount, and the file system on it.
    var fuse: String { folder + "/fuse" }
    var disk: String { folder + "/disk" }
    /// In that namespace the disk with mapped owners. The machine's own root must reach it by its path, and may not pass the home, which is closed;
    /// this folder exists wherever FUSE does, and is otherwise only the mount point of a control file system. Outside it must exist too: the runtime
    /// goes there before it enters a machine.
    var root: String { "/sys/fs/fuse/connections" }
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
