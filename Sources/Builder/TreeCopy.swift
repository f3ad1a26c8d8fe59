import Glibc
import Linux

/// Copies a folder that this process made into a machine: files, links, execute bits.
struct TreeCopy {
    let root: RootedFolder
    let owner: MachineUsers

    /// - Parameters:
    ///   - source: a folder of this host, read without following links.
    ///   - target: the folder in the machine; what is there already stays, but for files of the same name.
    func copy(_ source: RootedFolder, to target: String) throws {
        try InputPlacement(root: root, owner: owner).makeFolders(target)
        try copyEntries(source, target)
    }

    private func copyEntries(_ source: RootedFolder, _ target: String) throws {
        for name in try source.list("/") {
            guard let status = try source.attributes(name) else { continue }
            let path = target + "/" + name
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                try InputPlacement(root: root, owner: owner).makeFolders(path)
                try copyEntries(source.folder(name), path)
            case S_IFLNK:
                try root.symlink(try source.readLink(name), at: path)
                try own(path)
            case S_IFREG:
                let from = try source.open(name, O_RDONLY | O_NOFOLLOW)
                try root.remove(path)
                let to = try root.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
                try copyBytes(from, to)
                try check("set the mode of", path) { fchmod(to.raw, status.st_mode & 0o100 != 0 ? 0o755 : 0o644) }
                try own(path)
            default: continue
            }
        }
    }

    private func own(_ path: String) throws {
        if owner.user != 0 { try root.setOwner(path, user: owner.user, group: owner.group) }
    }

    private func copyBytes(_ from: Descriptor, _ to: Descriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try from.read(into: buffer, at: offset)
            try to.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: offset)
            offset += Int64(count)
            if count < buffer.count { return }
        }
    }
}
