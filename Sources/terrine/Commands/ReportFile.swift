import Foundation
import Linux
import Reports

/// Files that reports are written to.
enum ReportFile {
    /// Whole or not at all.
    static func write(_ bytes: [UInt8], to path: String) throws {
        // What is no regular file, such as /dev/stdout, cannot be replaced.
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            let file = try Descriptor(path, O_WRONLY)
            try FileHandle(fileDescriptor: file.raw).write(contentsOf: Data(bytes))
            return withExtendedLifetime(file) {}
        }
        do { try replaceFile(URL(fileURLWithPath: path).path, with: bytes, mode: 0o644) } catch let error as LinuxError where error.code == ENOENT {
            throw ReportError("notFound", "\(path) cannot be written", cause: "its folder is not there", fix: "make the folder, or name another")
        }
    }
}
