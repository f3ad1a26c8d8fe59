import CLinux
import Foundation
import Glibc
import Linux

extension Machine {
    /// Copies a file, a link or a folder of this host into the machine, as its root's; modes and times stay.
    ///
    /// - Parameter target: a path in the machine; a folder that is there gets the copy under the source's name.
    public func copyIn(_ source: String, to target: String) throws {
        let outside = try RootedFolder("/")
        let from = URL(fileURLWithPath: source).path
        try TreeCopy(source: outside, target: root, ownsCopies: true).copy(from, to: target, keepingName: (from as NSString).lastPathComponent)
    }

    /// Copies out of the machine. Special files are left out with an error.
    public func copyOut(_ source: String, to target: String) throws {
        let path = URL(fileURLWithPath: target).path
        // The host's own links on the way to the target are the user's business and followed.
        let parent = (path as NSString).deletingLastPathComponent
        let resolved = try readableFolder(parent, for: target)
        let into = try RootedFolder(resolved)
        try TreeCopy(source: root, target: into, ownsCopies: false).copy(
            source, to: (path as NSString).lastPathComponent, keepingName: (source as NSString).lastPathComponent)
    }

    private func readableFolder(_ path: String, for target: String) throws -> String {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw MachineError("notFound", "the folder of `\(target)` is not there", fix: "make it first: `mkdir -p \(path)`")
        }
        return path
    }
}

/// Copies trees between two rooted folders.
private struct TreeCopy {
    let source: RootedFolder
    let target: RootedFolder
    /// Whether copies belong to user 0 of the target.
    let ownsCopies: Bool

    func copy(_ from: String, to wanted: String, keepingName name: String) throws {
        guard let status = try source.attributes(from) else {
            throw MachineError("notFound", "there is no `\(from)`", fix: "look at the path, which is absolute in a machine")
        }
        var to = wanted
        if wanted.hasSuffix("/") || isFolder(wanted) { to = (wanted.hasSuffix("/") ? String(wanted.dropLast()) : wanted) + "/" + name }
        if let parent = to.lastIndex(of: "/").map({ String(to[..<$0]) }), !parent.isEmpty { try target.makeFolders(parent) }
        try copyEntry(from, to, status)
    }

    private func isFolder(_ path: String) -> Bool {
        // What is not there is no folder.
        (try? target.open(path, O_RDONLY | O_DIRECTORY)) != nil
    }

    private func copyEntry(_ from: String, _ to: String, _ status: stat) throws {
        switch status.st_mode & S_IFMT {
        case S_IFREG: try copyFile(from, to, status)
        case S_IFLNK: try target.symlink(try source.readLink(from), at: to)
        case S_IFDIR:
            try target.makeFolders(to)
            for name in try source.list(from) {
                guard let inside = try source.attributes(from + "/" + name) else { continue }
                try copyEntry(from + "/" + name, to + "/" + name, inside)
            }
            try target.setMode(to, status.st_mode & 0o7777)
        default:
            throw MachineError("unsupported", "`\(from)` is no file, folder or link", fix: "copy the rest without it")
        }
        if ownsCopies { try target.setOwner(to, user: 0, group: 0) }
        try target.setModificationTime(to, status.st_mtim)
    }

    private func copyFile(_ from: String, _ to: String, _ status: stat) throws {
        let input = try source.open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        try target.remove(to)
        let output = try target.open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: Int64 = 0
        while true {
            let count = try buffer.withUnsafeMutableBytes { try input.read(into: $0, at: offset) }
            if count == 0 { break }
            try buffer.withUnsafeBytes { try output.write(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: offset) }
            offset += Int64(count)
        }
        try check("set the mode of", to) { fchmod(output.raw, status.st_mode & 0o7777) }
    }
}
