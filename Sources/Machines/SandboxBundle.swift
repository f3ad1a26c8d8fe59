import Foundation
import Glibc

/// A sandbox machine as an OCI runtime is told of it (`config.json`, OCI runtime specification 1.0.2, for runc 1.1 and up).
///
/// User and network namespace are made ahead and named by path, the others are the runtime's to make. The root is a mount that the keeper has mapped to the
/// user namespace's ids already.
struct SandboxBundle: Sendable {
    /// The machine's first process: lives as long as the machine and reaps what is orphaned in it.
    var process: ProcessSpecification
    var hostname: String
    /// The machine's file system, on this host.
    var rootPath: String
    var userNamespacePath: String
    /// The host's id that is 0 in that user namespace, and how many follow.
    var firstHostID: UInt32
    var idCount: UInt32 = 65536
    var networkNamespacePath: String
    /// Absolute, in each hierarchy of control groups.
    var cgroupsPath: String
    /// Processors' worth of time; nil: no limit.
    var cpus: Double?
    /// Bytes; nil: no limit.
    var memory: Int64?
    /// Processes and threads; nil: `defaultPids`, which only a runaway reaches.
    var pids: Int?
    var binds: [Bind] = []

    static let defaultPids = 32768

    func json() throws -> String {
        // Inside a string the quotes would have backslashes before them, so this is found where the key is and nowhere else.
        let (key, later) = (#""seccomp":"#, #""later""#)
        let text = try ociText(document(seccomp: "later"))
        guard let place = text.range(of: key + later) else { throw MachineError("internal", "the container's configuration has no place for its system calls") }
        return text.replacingCharacters(in: place, with: key + (try SeccompProfile.text.get()))
    }

    var document: [String: Any] { document(seccomp: SeccompProfile.document) }

    private func document(seccomp: Any) -> [String: Any] {
        var process = self.process.document
        // The keeper asks to be spared when memory is short; who is in the machine is not.
        process["oomScoreAdj"] = 0
        return [
            "ociVersion": "1.0.2",
            "process": process,
            "root": ["path": rootPath, "readonly": false] as [String: Any],
            "hostname": hostname,
            "mounts": mounts,
            "linux": [
                "namespaces": [
                    ["type": "user", "path": userNamespacePath], ["type": "network", "path": networkNamespacePath],
                    ["type": "pid"], ["type": "mount"], ["type": "ipc"], ["type": "uts"], ["type": "cgroup"],
                ],
                // runc wants to know which of the host's ids is the machine's root, though the namespace has its mapping already.
                "uidMappings": mapping, "gidMappings": mapping,
                "cgroupsPath": cgroupsPath,
                "resources": resources,
                "seccomp": seccomp,
                "maskedPaths": Self.maskedPaths,
                "readonlyPaths": Self.readOnlyPaths,
            ] as [String: Any],
        ]
    }

    private var mapping: [[String: Any]] { [["containerID": 0, "hostID": firstHostID, "size": idCount]] }

    private var resources: [String: Any] {
        var resources: [String: Any] = [
            // No device but those that every machine has.
            "devices": [["allow": false, "access": "rwm"] as [String: Any]],
            "pids": ["limit": pids ?? Self.defaultPids],
        ]
        if let cpus {
            let period = 100_000
            resources["cpu"] = ["period": period, "quota": max(1000, Int(cpus * Double(period)))]
        }
        if let memory {
            var limits: [String: Any] = ["limit": memory]
            // Without accounting of swap (cgroup v1's default) there is nothing to limit.
            if access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 || access("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", F_OK) == 0 {
                limits["swap"] = memory
            }
            resources["memory"] = limits
        }
        return resources
    }

    private var mounts: [[String: Any]] {
        // Its pages count against the machine's memory: half of it, as tmpfs takes half of a host's.
        let shared = memory.map { ["size=\($0 / 2)"] } ?? []
        let own: [[String: Any]] = [
            Self.mount("proc", "proc", at: "/proc", ["nosuid", "noexec", "nodev"]),
            Self.mount("tmpfs", "tmpfs", at: "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Self.mount("devpts", "devpts", at: "/dev/pts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Self.mount("tmpfs", "shm", at: "/dev/shm", ["nosuid", "noexec", "nodev", "mode=1777"] + shared),
            Self.mount("mqueue", "mqueue", at: "/dev/mqueue", ["nosuid", "noexec", "nodev"]),
            Self.mount("sysfs", "sysfs", at: "/sys", ["nosuid", "noexec", "nodev", "ro"]),
            Self.mount("cgroup", "cgroup", at: "/sys/fs/cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ]
        return own
            + binds.map { Self.mount("bind", $0.source, at: $0.target, ["rbind", "rprivate"] + ($0.readOnly ? ["ro"] : ["rw"])) }
    }

    private static func mount(_ type: String, _ source: String, at target: String, _ options: [String]) -> [String: Any] {
        ["destination": target, "type": type, "source": source, "options": options]
    }

    /// What of the kernel says more of the host than a machine should know; Docker's list.
    static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ]
    static let readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}
