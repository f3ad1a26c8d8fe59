import Archives
import Foundation
import Glibc
import Linux
import Trees

/// A folder that is not there until it is complete.
enum NewFolder {
    /// What is written there has another name until it is whole. Ctrl-C waits for that moment; what a kill left is removed by the next one.
    ///
    /// - Returns: bytes of its files.
    static func publish(_ tree: FileTree, at path: String) throws -> Int64 {
        if access(path, F_OK) == 0 {
            throw BuildError("exists", "\(path) is there already, and a folder is not replaced", fix: "remove it, or choose another name")
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let prefix = ".\(URL(fileURLWithPath: path).lastPathComponent).new."
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix(prefix) {
            guard let pid = pid_t(name.dropFirst(prefix.count)), kill(pid, 0) != 0, errno == ESRCH else { continue }
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
        let temporary = "\(folder)/\(prefix)\(getpid())"
        var (signals, before) = (sigset_t(), sigset_t())
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        do {
            try FolderWriter.write(tree, to: temporary)
            try check("name", path) { rename(temporary, path) }
        } catch {
            // The error that there was is the one to be told.
            try? FileManager.default.removeItem(atPath: temporary)
            throw error
        }
        try syncFolder(folder)
        var bytes: Int64 = 0
        tree.walk { _, node in bytes += node.content?.size ?? 0 }
        return bytes
    }
}
