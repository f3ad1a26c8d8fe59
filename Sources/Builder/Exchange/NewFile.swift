import Archives
import Glibc
import Linux

/// A file that is not there until it is complete: without a name while it is written, so that nothing is left when that is interrupted.
struct NewFile {
    let descriptor: Descriptor
    private let path: String
    private let folder: String

    init(_ path: String) throws {
        self.path = path
        let slash = path.lastIndex(of: "/")
        folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        descriptor = try UnnamedFiles(folder: folder).make()
    }

    /// Gives it its name, in the place of a file that has it; durable when this returns.
    func publish() throws {
        try check("set the mode of", path) { fchmod(descriptor.raw, 0o644) }
        try descriptor.sync()
        // A link cannot take another's place; a rename can.
        let temporary = "\(path).new.\(getpid())"
        try check("name", path) { linkat(AT_FDCWD, "/proc/self/fd/\(descriptor.raw)", AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) }
        guard rename(temporary, path) == 0 else {
            let error = LinuxError("rename", path)
            unlink(temporary)
            throw error
        }
        try syncFolder(folder)
    }
}
