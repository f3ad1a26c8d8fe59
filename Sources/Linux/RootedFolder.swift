import CLinux
import Glibc

/// A folder under which every path is resolved as if the folder were `/`: links and `..` never lead out of it.
///
/// For trees that a stranger may have written, such as a machine's. Source: openat2(2), RESOLVE_IN_ROOT.
public struct RootedFolder: Sendable {
    public let descriptor: Descriptor
    /// The folder's own path, for messages.
    public let path: String

    public init(_ path: String) throws { self.init(try Descriptor(path, O_RDONLY | O_DIRECTORY), path: path) }

    public init(_ descriptor: Descriptor, path: String) { (self.descriptor, self.path) = (descriptor, path) }

    /// Opens `path`, close-on-exec; links are followed inside the folder, but for the last part with `O_NOFOLLOW`.
    public func open(_ path: String, _ flags: Int32, mode: mode_t = 0o644) throws -> Descriptor {
        // struct open_how; the mode must be zero where nothing is made.
        let creates = flags & O_CREAT != 0 || flags & 0o20000000 != 0  // O_TMPFILE, without O_DIRECTORY
        let resolveInRoot: UInt64 = 0x10
        var how: (UInt64, UInt64, UInt64) = (UInt64(UInt32(bitPattern: flags | O_CLOEXEC)), creates ? UInt64(mode) : 0, resolveInRoot)
        let raw = try path.withCString { text in
            try withUnsafePointer(to: &how) { how in
                // EAGAIN: somebody renames on the way while a `..` is resolved; the kernel asks to try again.
                for _ in 0..<64 {
                    let raw = clinux_syscall6(437, Int(descriptor.raw), Int(bitPattern: text), Int(bitPattern: how), 24, 0, 0)
                    if raw >= 0 { return raw }
                    if errno != EAGAIN && errno != EINTR { break }
                }
                throw LinuxError("open", subject(path))
            }
        }
        return Descriptor(owning: Int32(raw))
    }

    /// A folder in this one, as a root of its own.
    public func folder(_ path: String) throws -> RootedFolder {
        RootedFolder(try open(path, O_RDONLY | O_DIRECTORY), path: subject(path))
    }

    /// Makes a folder and those above it that are missing; what is there keeps its mode.
    public func makeFolders(_ path: String, mode: mode_t = 0o755) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            let (parent, name) = try parent(of: made)
            if mkdirat(parent.raw, name, mode) == 0 {
                try check("set the mode of", subject(made)) { fchmodat(parent.raw, name, mode, 0) }
            } else if errno != EEXIST {
                throw LinuxError("make the folder", subject(made))
            }
        }
    }

    /// Writes a whole file, in the place of what is there; not durable by itself.
    public func write(_ path: String, _ contents: [UInt8], mode: mode_t = 0o644) throws {
        let (parent, name) = try parent(of: path)
        if unlinkat(parent.raw, name, 0) != 0, errno != ENOENT { throw LinuxError("replace", subject(path)) }
        let file = Descriptor(
            owning: try check("make", subject(path)) { clinux_openat(parent.raw, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode) })
        try contents.withUnsafeBytes { try file.write($0, at: 0) }
        try check("set the mode of", subject(path)) { fchmod(file.raw, mode) }
    }

    /// Reads a whole file of at most `limit` bytes.
    public func read(_ path: String, limit: Int = 64 << 20) throws -> [UInt8] {
        let file = try open(path, O_RDONLY | O_NONBLOCK)
        var status = stat()
        try check("look at", subject(path)) { fstat(file.raw, &status) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= limit else { throw LinuxError("read", subject(path), code: EFBIG) }
        return try [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
            count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
    }

    /// Makes a symbolic link, in the place of a file or link that is there.
    public func symlink(_ target: String, at path: String) throws {
        let (parent, name) = try parent(of: path)
        if unlinkat(parent.raw, name, 0) != 0, errno != ENOENT { throw LinuxError("replace", subject(path)) }
        try check("make the link", subject(path)) { symlinkat(target, parent.raw, name) }
    }

    /// What a symbolic link points to.
    public func readLink(_ path: String) throws -> String {
        let (parent, name) = try parent(of: path)
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = try check("read the link", subject(path)) { readlinkat(parent.raw, name, &buffer, buffer.count - 1) }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The attributes of `path` itself, a link included; nil when it is not there.
    public func attributes(_ path: String) throws -> stat? {
        let found: (Descriptor, String)
        do { found = try parent(of: path) } catch let error as LinuxError where error.code == ENOENT || error.code == ENOTDIR { return nil }
        var status = stat()
        if fstatat(found.0.raw, found.1, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        if errno == ENOENT { return nil }
        throw LinuxError("look at", subject(path))
    }

    /// The names in a folder, sorted by their bytes; without `.` and `..`.
    public func list(_ path: String) throws -> [String] {
        let folder = try open(path, O_RDONLY | O_DIRECTORY)
        let copy = try check("open", subject(path)) { clinux_fcntl_int(folder.raw, F_DUPFD_CLOEXEC, 0) }
        guard let stream = fdopendir(copy) else {
            close(copy)
            throw LinuxError("list", subject(path))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// Removes a file, a link, or a folder with all that is in it; does nothing when it is not there.
    public func remove(_ path: String) throws {
        guard let status = try attributes(path) else { return }
        let (parent, name) = try parent(of: path)
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        if isFolder {
            let inside = RootedFolder(
                Descriptor(owning: try check("open", subject(path)) { clinux_openat(parent.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0) }),
                path: subject(path))
            for entry in try inside.list("/") { try inside.remove(entry) }
        }
        if unlinkat(parent.raw, name, isFolder ? Int32(AT_REMOVEDIR) : 0) != 0, errno != ENOENT { throw LinuxError("remove", subject(path)) }
    }

    public func setMode(_ path: String, _ mode: mode_t) throws {
        let (parent, name) = try parent(of: path)
        try check("set the mode of", subject(path)) { fchmodat(parent.raw, name, mode, 0) }
    }

    /// Sets the owner of `path` itself, a link included.
    public func setOwner(_ path: String, user: uid_t, group: gid_t) throws {
        let (parent, name) = try parent(of: path)
        try check("set the owner of", subject(path)) { fchownat(parent.raw, name, user, group, AT_SYMLINK_NOFOLLOW) }
    }

    /// Sets when `path` itself, a link included, was last changed.
    public func setModificationTime(_ path: String, _ time: timespec) throws {
        let (parent, name) = try parent(of: path)
        let times = [time, time]
        try check("set the time of", subject(path)) { utimensat(parent.raw, name, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// The folder that holds `path`, and the last part of it; the root itself is `.` in the root.
    private func parent(of path: String) throws -> (Descriptor, String) {
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard let name = parts.last else { return (descriptor, ".") }
        if name == ".." { throw LinuxError("resolve", subject(path), code: EINVAL) }
        if parts.count == 1 { return (descriptor, String(name)) }
        return (try open(parts.dropLast().joined(separator: "/"), 0o10000000 | O_DIRECTORY), String(name))  // O_PATH
    }

    private func subject(_ inside: String) -> String {
        let trimmed = inside.drop { $0 == "/" }
        return trimmed.isEmpty ? path : "\(path)/\(trimmed)"
    }
}
