import Foundation
import Glibc
import Linux
import Recipes

/// A step's secrets as files in memory: a folder of this host's tmpfs that the step's machine sees, and that goes with the step.
final class SecretFolder: Sendable {
    /// Of the machine.
    static let inMachine = "/dev/terrine/secrets"

    let path: String
    private let lock: FileLock

    init(_ values: [String: [UInt8]]) throws {
        let top = try Self.top()
        Self.removeAbandoned(in: top)
        // Root's alone; only the machine that it is mounted in sees what is below. The lock is there first: a folder without a held one is abandoned.
        let own = "\(top)/\(UUID().uuidString)"
        lock = try FileLock(own + ".lock")
        path = own + "/secrets"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        for (name, value) in values {
            let file = try Descriptor("\(path)/\(name)", O_WRONLY | O_CREAT | O_EXCL, mode: 0o444)
            try value.withUnsafeBytes { try file.write($0, at: 0) }
        }
    }

    deinit { Self.remove(String(path.dropLast("/secrets".count))) }

    /// A folder that is in memory: what is on a disk stays on it, also when it was removed.
    private static func top() throws -> String {
        // Of two mounts at one place the last is the one that is seen.
        let mounts = String(decoding: FileManager.default.contents(atPath: "/proc/self/mounts") ?? Data(), as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: " ")
        }
        for place in ["/dev/shm", "/run"] {
            guard mounts.last(where: { $0.count > 2 && $0[1] == place })?[2] == "tmpfs", access(place, W_OK) == 0 else { continue }
            let path = "\(place)/terrine-secrets-\(getuid())"
            if mkdir(path, 0o700) != 0 && errno != EEXIST { continue }
            var made = stat()
            // Somebody else's folder of that name would be theirs to read.
            guard lstat(path, &made) == 0, made.st_mode & S_IFMT == S_IFDIR, made.st_uid == getuid(), made.st_mode & 0o077 == 0 else { continue }
            return path
        }
        throw BuildError("noMemory", "this host has no tmpfs to keep secrets in", fix: "mount one at /dev/shm: `mount -t tmpfs -o mode=1777 tmpfs /dev/shm`")
    }

    private static func removeAbandoned(in top: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: top)) ?? [] where name.hasSuffix(".lock") {
            // What cannot be removed now is met again by the next one.
            if let lock = try? FileLock(ifFree: top + "/" + name) { withExtendedLifetime(lock) { remove(top + "/" + name.dropLast(5)) } }
        }
    }

    private static func remove(_ path: String) {
        // As above.
        try? FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: path + ".lock")
    }

    /// The script with secrets in its environment. They are read in the machine, so that no description of the process holds them.
    static func script(_ script: String, _ secrets: [Recipe.StepSecret], given: Set<String>) -> String {
        let named = secrets.filter { $0.variable != nil && given.contains($0.name) }
        if named.isEmpty { return script }
        let exports = named.map { "\($0.variable ?? "")=$(cat \(inMachine)/\($0.name)); export \($0.variable ?? "")\n" }.joined()
        return exports + "exec /bin/sh -e -c \(PackageScript.quoted(script))"
    }
}
