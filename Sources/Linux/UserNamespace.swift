import CLinux
import Glibc

/// A user namespace, and a network namespace that it owns, held open by descriptors: no process and no mount has to stay for them.
public struct MachineNamespaces: Sendable {
    public let user: Descriptor
    public let network: Descriptor?

    /// Makes a user namespace whose ids 0 and up are this host's ids `firstHostID` and up.
    ///
    /// - Parameters:
    ///   - count: how many ids, usually 65,536.
    ///   - holder: who was made in advance; its end is here.
    public init(firstHostID: UInt32, count: UInt32, holder: NamespaceHolder) throws {
        defer { holder.end() }
        for name in ["uid_map", "gid_map"] { try writeSmallFile("/proc/\(holder.pid)/\(name)", "0 \(firstHostID) \(count)\n") }
        user = try Descriptor("/proc/\(holder.pid)/ns/user", O_RDONLY)
        network = holder.withNetwork ? try Descriptor("/proc/\(holder.pid)/ns/net", O_RDONLY) : nil
    }

    public init(firstHostID: UInt32, count: UInt32, withNetwork: Bool) throws {
        try self.init(firstHostID: firstHostID, count: count, holder: NamespaceHolder(withNetwork: withNetwork))
    }
}

/// A process that keeps new namespaces until they are held by descriptors. It ends with the thread that made it.
public struct NamespaceHolder: Sendable {
    let pid: pid_t
    let withNetwork: Bool

    /// Makes the namespaces; the ids of the user namespace are told to ``MachineNamespaces``.
    public init(withNetwork: Bool) throws {
        let newUser = 0x1000_0000
        let newNetwork = 0x4000_0000
        self.withNetwork = withNetwork
        pid = try check("clone", "a namespace holder") { clinux_namespace_holder(Int(newUser | (withNetwork ? newNetwork : 0))) }
    }

    func end() {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
    }
}
