import Crypto
import Glibc
import Linux
import Recipes

/// Puts files of this host into a machine: contents, execute bits and modification times.
///
/// A file that is already the same is not touched, so that `make` does not start over.
struct InputPlacement {
    let root: RootedFolder
    let owner: MachineUsers

    /// - Throws: ``BuildError`` `inputChanged` when a file is not what it was when the plan was made: the key would lie.
    func place(_ inputs: [InputFile]) throws {
        var folders: Set<Substring> = []
        for input in inputs {
            if try isSame(input) { continue }
            if let slash = input.target.lastIndex(of: "/"), folders.insert(input.target[..<slash]).inserted {
                try makeFolders(String(input.target[..<slash]))
            }
            if let there = try root.attributes(input.target), there.st_mode & S_IFMT == S_IFDIR { try root.remove(input.target) }
            switch input.kind {
            case .link: try placeLink(input)
            case .file: try placeFile(input)
            }
        }
    }

    /// Makes what is missing of a folder's path, each for the owner.
    func makeFolders(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            if try root.attributes(made) != nil { continue }
            try root.makeFolders(made)
            if owner.user != 0 { try root.setOwner(made, user: owner.user, group: owner.group) }
        }
    }

    private func isSame(_ input: InputFile) throws -> Bool {
        guard let there = try root.attributes(input.target) else { return false }
        switch input.kind {
        case .link:
            guard there.st_mode & S_IFMT == S_IFLNK else { return false }
            return hex(SHA256.hash(data: Array(try root.readLink(input.target).utf8))) == input.digest
        case .file:
            guard there.st_mode & S_IFMT == S_IFREG, there.st_mode & 0o7777 == input.mode else { return false }
            var status = stat()
            guard lstat(input.source, &status) == 0, status.st_size == there.st_size else { return false }
            return try copy(root.open(input.target, O_RDONLY | O_NOFOLLOW), nil) == input.digest
        }
    }

    private func placeLink(_ input: InputFile) throws {
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = try check("read the link", input.source) { readlink(input.source, &buffer, 4096) }
        let target = buffer[..<count].map { UInt8(bitPattern: $0) }
        guard hex(SHA256.hash(data: target)) == input.digest else { throw changed(input) }
        try root.symlink(String(decoding: target, as: UTF8.self), at: input.target)
        if owner.user != 0 { try root.setOwner(input.target, user: owner.user, group: owner.group) }
    }

    private func placeFile(_ input: InputFile) throws {
        let source: Descriptor
        do {
            source = try Descriptor(input.source, O_RDONLY | O_NOFOLLOW)
        } catch let error as LinuxError where error.code == ENOENT || error.code == ELOOP {
            throw changed(input)
        }
        var status = stat()
        try check("look at", input.source) { fstat(source.raw, &status) }
        try root.remove(input.target)
        let target = try root.open(input.target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        guard try copy(source, target) == input.digest else { throw changed(input) }
        if owner.user != 0 { try check("set the owner of", input.target) { fchown(target.raw, owner.user, owner.group) } }
        try check("set the mode of", input.target) { fchmod(target.raw, input.mode) }
        let times = [status.st_mtim, status.st_mtim]
        try check("set the time of", input.target) { futimens(target.raw, times) }
    }

    /// Hashes a file, and writes it to another if there is one.
    private func copy(_ source: Descriptor, _ target: Descriptor?) throws -> String {
        var hasher = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try source.read(into: buffer, at: offset)
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hasher.update(bufferPointer: bytes)
            try target?.write(bytes, at: offset)
            offset += Int64(count)
            if count < buffer.count { return hex(hasher.finalize()) }
        }
    }

    private func changed(_ input: InputFile) -> BuildError {
        BuildError("inputChanged", "\(input.path) changed while the build ran", fix: "build again")
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
