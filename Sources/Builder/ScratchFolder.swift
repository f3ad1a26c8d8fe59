import Foundation
import Linux

/// A folder for one piece of work, removed with the object; what a killed process left is removed by the next one.
final class ScratchFolder: Sendable {
    let path: String
    /// Held while the folder is in use.
    private let lock: FileLock

    /// - Parameter home: TERRINE_HOME: scratch files are renamed into no other place, but may be large.
    init(home: String, purpose: String) throws {
        let top = home + "/scratch"
        try FileManager.default.createDirectory(atPath: top, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        Self.removeAbandoned(in: top)
        path = "\(top)/\(purpose)-\(UUID().uuidString.prefix(8))"
        // The lock file is beside the folder, and there first: a folder without a held lock is abandoned.
        lock = try FileLock(path + ".lock")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { Self.remove(path) }

    private static func removeAbandoned(in top: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: top)) ?? [] where name.hasSuffix(".lock") {
            // Litter that cannot be removed now is met again by the next one.
            if let lock = try? FileLock(ifFree: top + "/" + name) {
                withExtendedLifetime(lock) { remove(top + "/" + name.dropLast(5)) }
            }
        }
    }

    private static func remove(_ path: String) {
        // As above.
        try? FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: path + ".lock")
    }
}
