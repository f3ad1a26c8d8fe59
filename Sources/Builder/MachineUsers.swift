import Glibc
import Linux

/// Owners for files that are put into a machine, by the machine's own `/etc/passwd` and `/etc/group`.
struct MachineUsers {
    let user: uid_t
    let group: gid_t

    static let root = MachineUsers(user: 0, group: 0)

    /// - Parameter name: a name or number, with `:group` if need be.
    /// - Returns: nil when the machine knows no such user (yet).
    static func find(_ name: String, in folder: RootedFolder) throws -> MachineUsers? {
        if name == "root" || name == "0" { return root }
        let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
        let entry = try entries("/etc/passwd", in: folder).first { $0[0] == parts[0] || $0[2] == parts[0] }
        guard let user = UInt32(parts[0]) ?? entry.flatMap({ UInt32($0[2]) }) else { return nil }
        guard parts.count > 1 else { return MachineUsers(user: user, group: entry.flatMap { $0.count > 3 ? UInt32($0[3]) : nil } ?? user) }
        if let group = UInt32(parts[1]) { return MachineUsers(user: user, group: group) }
        let group = try entries("/etc/group", in: folder).first { $0[0] == parts[1] }
        return group.flatMap { UInt32($0[2]) }.map { MachineUsers(user: user, group: $0) }
    }

    private static func entries(_ path: String, in folder: RootedFolder) throws -> [[String]] {
        guard try folder.attributes(path) != nil else { return [] }
        return String(decoding: try folder.read(path), as: UTF8.self).split(separator: "\n")
            .map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) }.filter { $0.count > 2 }
    }
}
