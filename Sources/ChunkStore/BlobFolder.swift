import Crypto
import Foundation
import Glibc
import Linux
import Synchronization

/// `blobs/sha256` of an OCI image layout: files named by the digest of their bytes, each complete and durable once it has its name.
public struct BlobFolder: Sendable {
    public let path: String
    /// For blobs that are being written; what a dead process left there is removed by ``removeLeftovers()``.
    let temporary: String

    init(store: String) throws {
        path = store + "/blobs/sha256"
        temporary = store + "/tmp"
        for folder in [path, temporary] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    public func path(of digest: Digest) -> String { "\(path)/\(digest.hex)" }

    public func contains(_ digest: Digest) -> Bool { access(path(of: digest), F_OK) == 0 }

    /// Makes a small blob durable.
    @discardableResult
    public func write(_ bytes: [UInt8]) throws -> Digest {
        let prepared = try prepare(bytes)
        if let blob = prepared.blob { try Self.publish([(blob, prepared.digest)]) }
        return prepared.digest
    }

    /// Puts a blob's right bytes in the place of damaged ones, or of none, durably.
    public func replace(_ digest: Digest, with bytes: [UInt8]) throws {
        let blob = try TemporaryBlob(in: self)
        try bytes.withUnsafeBytes { try blob.write($0, at: 0) }
        try Self.publish([(blob, digest)])
    }

    /// Writes a small blob without its name; nothing to publish when it is there already.
    func prepare(_ bytes: [UInt8]) throws -> (digest: Digest, blob: TemporaryBlob?) {
        let digest = Digest.of(bytes)
        if contains(digest) {
            // As new, for whoever asks how old it is.
            utimes(path(of: digest), nil)
            return (digest, nil)
        }
        let blob = try TemporaryBlob(in: self)
        try bytes.withUnsafeBytes { try blob.write($0, at: 0) }
        return (digest, blob)
    }

    /// Gives blobs their names; all are durable when it returns. They are synced side by side, since the file system commits them together.
    static func publish(_ blobs: [(blob: TemporaryBlob, digest: Digest)]) throws {
        if blobs.isEmpty { return }
        let failure = Mutex<(any Error)?>(nil)
        let threads = try blobs.dropFirst().map { entry in
            let file = entry.blob.file
            return try PlainThread { do { try file.sync() } catch { failure.withLock { $0 = error } } }
        }
        do { try blobs[0].blob.file.sync() } catch { failure.withLock { $0 = error } }
        for thread in threads { thread.join() }
        if let error = failure.withLock({ $0 }) { throw blobs[0].blob.folder.explain(error) }
        for entry in blobs { try entry.blob.rename(to: entry.digest) }
        try syncFolder(blobs[0].blob.folder.path)
    }

    /// A full disk is told as what it is; nothing that has its name already is lost by it.
    func explain(_ error: any Error) -> any Error {
        guard let error = error as? LinuxError, error.code == ENOSPC || error.code == EDQUOT else { return error }
        return StoreError(
            "noSpace", "there is no room in \(path) for what is being written", cause: String(cString: strerror(error.code)),
            fix: "`terrine df` tells what takes the room, `terrine gc` frees what nothing needs; all that was finished is whole")
    }

    /// A small blob, checked against its name.
    public func read(_ digest: Digest) throws -> [UInt8] {
        let bytes: [UInt8]
        do { bytes = try readFile(path(of: digest)) } catch let error as LinuxError where error.code == ENOENT {
            throw StoreError("notFound", "the blob \(digest) is not in the store", fix: "`terrine verify` tells which images need it")
        }
        guard Digest.of(bytes) == digest else {
            throw StoreError(
                "corrupt", "the blob \(path(of: digest)) does not have the bytes of its name",
                fix: "`terrine verify` tells which images need it; build them again")
        }
        return bytes
    }

    public func size(of digest: Digest) -> Int64? {
        var status = stat()
        return stat(path(of: digest), &status) == 0 ? Int64(status.st_size) : nil
    }

    /// All blobs, unsorted.
    public func all() throws -> [Digest] { try FileManager.default.contentsOfDirectory(atPath: path).compactMap { Digest($0) } }

    /// Removes what processes that have ended did not finish.
    func removeLeftovers() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: temporary) {
            // Who still writes holds the lock; a file whose maker is between making and locking it is younger than this.
            let file = temporary + "/" + name
            var status = stat()
            guard stat(file, &status) == 0, abs(time(nil) - status.st_mtim.tv_sec) > 60, try FileLock(ifFree: file) != nil else { continue }
            removeName(file)
        }
    }
}

/// A blob that has no name yet; gone when it is not published.
final class TemporaryBlob {
    let file: Descriptor
    let folder: BlobFolder
    private let path: String
    private var isPublished = false

    init(in folder: BlobFolder) throws {
        self.folder = folder
        path = "\(folder.temporary)/\(getpid())-\(UInt64.random(in: .min ... .max))"
        do { file = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL) } catch { throw folder.explain(error) }
        try check("lock", path) { flock(file.raw, LOCK_EX) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        do { try file.write(bytes, at: offset) } catch { throw folder.explain(error) }
    }

    /// The last step of ``BlobFolder/publish(_:)``: the bytes must be durable, the folder will be.
    func rename(to digest: Digest) throws {
        try renameFile(path, to: folder.path(of: digest))
        isPublished = true
    }

    deinit { if !isPublished { removeName(path) } }
}
