import Foundation
import Glibc

/// One process in a machine, as an OCI runtime reads it: for the machine's first process, and for `runc exec --process FILE`.
struct ProcessSpecification: Sendable {
    var arguments: [String]
    var environment: [String: String]
    /// Absolute, in the machine.
    var workingFolder: String
    var user: MachineUser
    var terminal: Bool

    init(arguments: [String], environment: [String: String], workingFolder: String, user: MachineUser, terminal: Bool = false) {
        (self.arguments, self.environment, self.workingFolder, self.user, self.terminal) = (arguments, environment, workingFolder, user, terminal)
    }

    /// Docker's default capabilities, which hold within the machine's own user namespace only.
    ///
    /// Fewer, as `runc spec` has them, are too few for a package manager (chown, setuid).
    static let capabilities = [
        "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
        "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ]

    /// Open files: many programs walk through all they may open, so the soft limit stays moderate. Within a user namespace no limit can be raised above
    /// this process's own.
    private static var rlimits: [[String: Any]] {
        var files = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &files) == 0 else { return [] }  // RLIMIT_NOFILE
        let hard = min(files.rlim_max, 1 << 20)
        return [["type": "RLIMIT_NOFILE", "soft": min(hard, 65536), "hard": hard]]
    }

    var document: [String: Any] {
        var ids: [String: Any] = ["uid": user.user, "gid": user.group]
        if !user.groups.isEmpty { ids["additionalGids"] = user.groups }
        let all = Self.capabilities
        // Another user than root gets them through set-user-id programs only, as on a host.
        let held: [String] = user.user == 0 ? all : []
        return [
            "args": arguments,
            "env": environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" },
            "cwd": workingFolder,
            "terminal": terminal,
            "user": ids,
            "capabilities": ["bounding": all, "effective": held, "permitted": held, "inheritable": [String](), "ambient": [String]()],
            "noNewPrivileges": false,
            "rlimits": Self.rlimits,
        ]
    }

    func json() throws -> String { try ociText(document) }
}

/// A document for an OCI runtime, the same text for the same content.
func ociText(_ document: [String: Any]) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: document, options: [.sortedKeys, .withoutEscapingSlashes]), as: UTF8.self)
}
