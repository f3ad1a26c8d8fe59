import ChunkStore
import Foundation
import Linux
import Recipes

/// A recipe's lock on the disk: read before a build, written at its end, whole or not at all.
public struct LockFile: Sendable {
    public let path: String
    private let home: String

    public init(for recipe: Recipe, home: String) { (path, self.home) = (TerrineLock.path(for: recipe), home) }

    /// - Throws: `RecipeDiagnostics` for a lock that cannot be used.
    public func entry(_ image: String) throws -> TerrineLock.Entry? {
        guard let lock = try TerrineLock.load(path) else { return nil }
        return lock[image, HostArchitecture.current]
    }

    /// Puts an image's entry into the lock. What it says of other images and architectures stays.
    ///
    /// - Returns: whether the file changed.
    public func update(_ image: String, _ entry: TerrineLock.Entry) throws -> Bool {
        // Builds of a matrix end at the same time, and each has its own part of one file.
        try FileManager.default.createDirectory(atPath: home + "/locks", withIntermediateDirectories: true)
        let held = try FileLock("\(home)/locks/\(Digest.of(text: path).hex.prefix(16))")
        return try withExtendedLifetime(held) {
            let old = try TerrineLock.load(path)
            var lock = old ?? TerrineLock()
            lock[image, HostArchitecture.current] = entry
            if old == lock || (old == nil && entry.isEmpty) { return false }
            try replaceFile(path, with: Array(lock.text.utf8))
            return true
        }
    }
}
