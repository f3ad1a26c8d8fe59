import ChunkStore
import Foundation
import Glibc
import Linux

/// Images whose blocks a stranger wrote: a file `foreign/HEX` each, which says where the image came from.
///
/// The host's kernel mounts an image's file system, and a file system can be made to attack it. The mark is no part of the image, so that its digest is the
/// same on every store; an image that this store made itself has none.
extension ImageStore {
    private func foreignPath(_ image: Digest) -> String { "\(path)/foreign/\(image.hex)" }

    /// Marks an image, durably; before it is taken in, so that no kill leaves one without its mark.
    ///
    /// - Parameter origin: where it came from, for people.
    public func markForeign(_ image: Digest, from origin: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/foreign", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try replaceFile(foreignPath(image), with: Array(origin.utf8))
    }

    public func isForeign(_ image: Digest) -> Bool { access(foreignPath(image), F_OK) == 0 }

    /// Where a foreign image came from; nil for one that is not foreign.
    public func foreignOrigin(of image: Digest) throws -> String? {
        do { return String(decoding: try readFile(foreignPath(image)), as: UTF8.self) } catch let error as LinuxError where error.code == ENOENT { return nil }
    }

    /// Takes the mark away: its owner, or a key that they trust, vouches for the image.
    public func trust(_ image: Digest) throws {
        if removeName(foreignPath(image)) != 0, errno != ENOENT { throw LinuxError("remove", foreignPath(image)) }
    }

    /// Takes away the marks of images that are not among `images`.
    func collectForeignMarks(keeping images: Set<Digest>) throws {
        // No folder: none was ever made.
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path + "/foreign"), !names.isEmpty else { return }
        for name in names {
            var status = stat()
            // An image that is being taken in has its mark already.
            guard let digest = Digest(name), !images.contains(digest), stat("\(path)/foreign/\(name)", &status) == 0,
                abs(time(nil) - status.st_mtim.tv_sec) > 86400
            else { continue }
            removeName("\(path)/foreign/\(name)")
        }
    }
}
