import ChunkStore
import Foundation
import Glibc
import Linux

/// How far uploads to one repository have come: a file each, so that another process goes on where this one was killed.
struct UploadSessions: Sendable {
    private let folder: String
    private let repository: String

    /// - Parameter folder: made when it is not there.
    init(folder: String, repository: String) throws {
        (self.folder, self.repository) = (folder, repository)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    final class Session {
        private let path: String
        private let lock: FileLock
        private(set) var location: String?

        fileprivate init?(_ path: String) throws {
            guard let lock = try FileLock(ifFree: path) else { return nil }
            (self.path, self.lock) = (path, lock)
            let text = String(decoding: try readFile(path), as: UTF8.self)
            location = text.hasPrefix("http") && text.hasSuffix("\n") ? String(text.dropLast()) : nil
        }

        /// The next piece goes there. Written in place: the file is the lock, and a part of a line is no place.
        func note(_ location: String) throws {
            let bytes = Array((location + "\n").utf8)
            try check("empty", path) { ftruncate(lock.descriptor.raw, 0) }
            try bytes.withUnsafeBytes { try lock.descriptor.write($0, at: 0) }
        }

        func end() { removeName(path) }
    }

    /// Nil while another process sends the same blob there.
    func open(_ blob: Digest) throws -> Session? { try Session("\(folder)/\(Digest.of(Array("\(repository) \(blob)".utf8)).hex)") }
}
