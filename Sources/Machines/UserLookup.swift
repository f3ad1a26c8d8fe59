import Glibc
import Linux

/// A user of a machine: the ids that processes get, and where they are at home.
struct MachineUser: Sendable, Equatable {
    /// Nil for an id that the machine's /etc/passwd does not have.
    var name: String?
    var user: UInt32
    var group: UInt32
    /// Supplementary groups.
    var groups: [UInt32]
    var home: String
    var shell: String

    static let root = MachineUser(name: "root", user: 0, group: 0, groups: [], home: "/root", shell: "/bin/sh")
}

/// Finds users as a machine's own /etc/passwd and /etc/group have them.
enum UserLookup {
    /// - Parameter text: a name or id of a user, with `:` and a name or id of a group if that shall be another than the user's own.
    /// - Throws: ``MachineError`` `notFound` for a name that the machine does not have, `invalid` for what is no user at all.
    static func find(_ text: String, in root: RootedFolder) throws -> MachineUser {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let wanted = parts.first, !wanted.isEmpty, parts.count == 1 || !parts[1].isEmpty else {
            throw MachineError("invalid", "`\(text)` names no user", fix: "say a name or `uid`, or either with `:group` or `:gid`")
        }
        let users = try entries("/etc/passwd", fields: 7, in: root)
        let groups = try entries("/etc/group", fields: 4, in: root)
        var found: MachineUser
        // A name may consist of digits, so names go first, as with chown(1).
        if let entry = users.first(where: { $0[0] == wanted }) ?? users.first(where: { UInt32($0[2]) != nil && UInt32($0[2]) == UInt32(wanted) }),
            let id = UInt32(entry[2]), let group = UInt32(entry[3])
        {
            found = MachineUser(
                name: entry[0], user: id, group: group, groups: [], home: entry[5].isEmpty ? "/" : entry[5], shell: entry[6].isEmpty ? "/bin/sh" : entry[6])
            found.groups = groups.filter { $0[3].split(separator: ",").contains { $0 == entry[0] } }.compactMap { UInt32($0[2]) }.filter { $0 != group }
        } else if let id = UInt32(wanted) {
            guard id < 65536 else { throw MachineError("invalid", "the user \(id) is beyond a machine's 65,536 ids", fix: "take an id below 65536") }
            found = MachineUser(name: nil, user: id, group: 0, groups: [], home: id == 0 ? "/root" : "/", shell: "/bin/sh")
        } else {
            throw missing("user", wanted, users.map { $0[0] })
        }
        if parts.count == 2 {
            // As with `docker run --user`: with a group named, the user's others are not taken along.
            found.groups = []
            if let entry = groups.first(where: { $0[0] == parts[1] }), let id = UInt32(entry[2]) {
                found.group = id
            } else if let id = UInt32(parts[1]), id < 65536 {
                found.group = id
            } else {
                throw missing("group", parts[1], groups.map { $0[0] })
            }
        }
        return found
    }

    private static func missing(_ kind: String, _ name: String, _ known: [String]) -> MachineError {
        let near = known.filter { distance($0, name) <= max(1, name.count / 3) }.sorted { distance($0, name) < distance($1, name) }.prefix(3)
        return MachineError(
            "notFound", "the machine has no \(kind) `\(name)`",
            cause: near.isEmpty ? nil : "the nearest are \(near.map { "`\($0)`" }.joined(separator: ", "))",
            fix: "take one of its /etc/\(kind == "user" ? "passwd" : "group"), or a number")
    }

    private static func entries(_ path: String, fields: Int, in root: RootedFolder) throws -> [[String]] {
        let bytes: [UInt8]
        do { bytes = try root.read(path, limit: 16 << 20) } catch let error as LinuxError where error.code == ENOENT || error.code == ENOTDIR {
            // An image without users: ids are all there is.
            return []
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            return parts.count >= fields ? parts : nil
        }
    }

    /// Levenshtein distance.
    private static func distance(_ a: String, _ b: String) -> Int {
        let b = Array(b)
        var row = Array(0...b.count)
        for (i, letter) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (b[j] == letter ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
