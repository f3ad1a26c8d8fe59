import CLinux
import Glibc

/// A user namespace, and a network namespace that it owns, held open by descriptors: no process and no mount has to stay for them.
public struct MachineNamespaces: Sendable {
    public let user: Descriptor
    public let network: Descriptor?

    /// Makes a user namespace whose ids 0 and up are this host's ids `firstHostID` and up.
    ///
    /// - Parameter count: how many ids, usually 65,536.
    public init(firstHostID: UInt32, count: UInt32, withNetwork: Bool) throws {
        let newUser = 0x1000_0000
        let newNetwork = 0x4000_0000
        let pid = try check("clone", "a namespace holder") { clinux_namespace_holder(Int(newUser | (withNetwork ? newNetwork : 0))) }
        defer {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
        }
        for name in ["uid_map", "gid_map"] { try writeSmallFile("/proc/\(pid)/\(name)", "0 \(firstHostID) \(count)\n") }
        user = try Descriptor("/proc/\(pid)/ns/user", O_RDONLY)
        network = withNetwork ? try Descriptor("/proc/\(pid)/ns/net", O_RDONLY) : nil
    }
}
