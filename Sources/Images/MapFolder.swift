import ChunkStore
import Foundation
import Linux

/// `maps/`: a map for each image, by the image's digest, and the leaves that they share.
struct MapFolder: Sendable {
    private let path: String
    private let identity: Int64

    init(_ path: String, identity: Int64) { (self.path, self.identity) = (path, identity) }

    private func path(of image: Digest) -> String { "\(path)/\(image.hex)" }
    private var leavesPath: String { path + "/leaves" }

    private func leaves() throws -> MapLeaves? { try MapLeaves(leavesPath, identity: identity) }

    /// Held while a map is made: one at a time, and never in the place of one that can be used, since somebody may hold its lock.
    func lock() throws -> FileLock { try FileLock(path + ".lock") }

    /// Nil when there is none that can be used.
    func open(_ image: Digest) throws -> ImageMap? { try ImageMap(path(of: image), leaves: leaves) }

    /// Writes the map of an image that has none; the caller holds the lock.
    func write(_ image: Digest, count: Int, parent: ImageMap?, _ changes: [(index: UInt64, number: UInt32)]) throws {
        if try leaves() == nil { try MapLeaves.create(leavesPath, identity: identity) }
        guard let leaves = try leaves() else { throw ImageError("internal", "the leaves that were just made in \(leavesPath) cannot be used") }
        try ImageMap.write(path(of: image), leaves: leaves, count: count, parent: parent, changes)
    }

    /// Takes the map of an image, unless somebody reads it or has just made it.
    ///
    /// - Returns: whether nobody does.
    func removeIfUnused(_ image: Digest) throws -> Bool { try ImageMap.removeIfUnused(path(of: image)) }

    /// Removes maps of images that are not among `images`, and gives back the leaves that no map uses.
    func collect(keeping images: Set<Digest>) throws {
        let lock = try lock()
        defer { withExtendedLifetime(lock) {} }
        guard let leaves = try leaves() else { return }
        var used = NumberSet(0..<leaves.end)
        for image in try FileManager.default.contentsOfDirectory(atPath: path).compactMap({ Digest($0) }) {
            let isUseful = try ImageMap.mark(path(of: image), of: leaves.id, in: &used)
            if !isUseful || !images.contains(image) { _ = try removeIfUnused(image) }
        }
        try leaves.keepOnly(used)
    }
}
