import Trees

/// What in a stranger's files is worth a word before a machine runs on them. None of it has power over the host: machines have a range of ids of their own,
/// and their disks are mounted without devices and set-id bits for the host.
public struct TreeFindings: Codable, Sendable, Equatable {
    public var files = 0
    /// Programs that run as their owner or group, within the machine.
    public var setID = 0
    public var devices = 0
    /// Files with `security.capability`.
    public var capabilities = 0
    /// Files of users or groups that a sandbox does not have, and shows as nobody's.
    public var foreignOwners = 0
    /// Ids that a sandbox has.
    private static let ids: UInt32 = 65536

    public init(_ tree: FileTree) {
        tree.walk { _, node in
            files += 1
            if node.folder == nil, node.mode & 0o6000 != 0 { setID += 1 }
            switch node.kind {
            case .characterDevice, .blockDevice: devices += 1
            default: break
            }
            if node.attributes["security.capability"] != nil { capabilities += 1 }
            if node.user >= Self.ids || node.group >= Self.ids { foreignOwners += 1 }
        }
    }

    /// A line for each that there is.
    public var notes: [String] {
        [
            (setID, "run as their owner or group (setuid, setgid) within the machine"), (capabilities, "have capabilities within the machine"),
            (devices, "are devices, which a sandbox does not open"), (foreignOwners, "belong to ids of 65536 and more, which a sandbox shows as nobody's"),
        ].filter { $0.0 > 0 }.map { "\($0.0) of the files \($0.1)" }
    }
}
