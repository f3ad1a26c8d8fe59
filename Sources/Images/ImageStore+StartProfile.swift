import ChunkStore
import Foundation
import Glibc
import Linux

/// What a start from an image reads first: a file `profiles/HEX` each, chunk numbers of its disk as text, so that the next start has them at hand.
///
/// Only a hint: without it, or with a wrong one, a start is as right and somewhat slower.
extension ImageStore {
    private func profilePath(_ image: Digest) -> String { "\(path)/profiles/\(image.hex)" }

    /// The chunks in the order of their reading; none when no start was seen yet.
    public func startProfile(of image: Digest) -> [UInt64] {
        (readSmallFile(profilePath(image)) ?? "").split(separator: " ").prefix(1024).compactMap { UInt64($0) }
    }

    public func saveStartProfile(_ chunks: [UInt64], of image: Digest) throws {
        try FileManager.default.createDirectory(atPath: path + "/profiles", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try replaceFile(profilePath(image), with: Array(chunks.map(String.init).joined(separator: " ").utf8), durable: false)
    }

    /// Takes away the profiles of images that are not among `images`, and what a killed process left.
    func collectStartProfiles(keeping images: Set<Digest>) throws {
        let names = Set(images.map(\.hex))
        // No folder: none was ever made.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path + "/profiles")) ?? [] where !names.contains(name) {
            removeName("\(path)/profiles/\(name)")
        }
    }
}
