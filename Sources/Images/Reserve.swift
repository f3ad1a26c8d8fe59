import ChunkStore
import Foundation
import Glibc
import Linux

/// Room that is kept for the day on which the disk is full: without any, not even `gc` could write down what it is about to free.
struct Reserve {
    private static let bytes = 1 << 20
    private let path: String

    init(_ store: String) { path = store + "/reserve" }

    /// Does `body`, a second time with the reserve's room when the disk is full.
    func spending<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch  where isOutOfRoom(error) && access(path, F_OK) == 0 {
            unlink(path)
            return try body()
        }
    }

    /// An index that cannot even be opened does not always say why.
    private func isOutOfRoom(_ error: any Error) -> Bool {
        switch error {
        case let error as LinuxError where error.code == ENOSPC || error.code == EDQUOT: return true
        case let error as StoreError where error.code == "noSpace": return true
        case let error as StoreError where error.code == "index":
            var room = statvfs()
            return statvfs(path, &room) == 0 && UInt64(room.f_bavail) * UInt64(room.f_frsize) < UInt64(Self.bytes)
        default: return false
        }
    }

    /// Makes it, when it is not there and there is room.
    func fill() {
        guard access(path, F_OK) != 0, let file = try? Descriptor(path, O_WRONLY | O_CREAT | O_EXCL) else { return }  // On a full disk there is none.
        if posix_fallocate(file.raw, 0, off_t(Self.bytes)) != 0 { unlink(path) }
    }
}

/// A folder of this process's own, which goes with it.
final class ScratchFolder: Sendable {
    let path: String

    init(holding name: String) throws {
        path = "\(NSTemporaryDirectory())terrine-\(getpid())-\(UInt32.random(in: .min ... .max))"
        try check("make the folder", path) { mkdir(path, 0o700) }
        try check("make the folder", path) { mkdir("\(path)/\(name)", 0o700) }
    }

    deinit {
        // Maps that are left are small, and in the folder for what is temporary.
        try? FileManager.default.removeItem(atPath: path)
    }
}
