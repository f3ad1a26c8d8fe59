import Glibc

/// Replaces the file at `path` so that whoever opens it, also after the host died, finds the old content or the new, never a part.
///
/// - Parameters:
///   - mode: of the new file.
///   - durable: false for what nobody needs after the host died; a process that dies still leaves one or the other.
public func replaceFile(_ path: String, with contents: [UInt8], mode: mode_t = 0o600, durable: Bool = true) throws {
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    let folder = slash == path.startIndex ? "/" : String(path[..<slash])
    let temporary = "\(path).new.\(getpid())"
    do {
        let file = try Descriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        try contents.withUnsafeBytes { try file.write($0, at: 0) }
        if durable { try file.sync() }
        try renameFile(temporary, to: path)
    } catch {
        removeName(temporary)
        throw error
    }
    if durable { try syncFolder(folder) }
}

/// The content of a file of this host.
public func readFile(_ path: String) throws -> [UInt8] {
    let file = try Descriptor(path, O_RDONLY)
    let size = Int(try check("seek", path) { lseek(file.raw, 0, SEEK_END) })
    return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
    }
}
