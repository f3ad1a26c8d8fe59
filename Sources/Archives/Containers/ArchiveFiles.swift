import Glibc
import Linux
import Trees

/// The files of an image layout, in a folder or in an archive.
protocol ArchiveFiles {
    /// For errors.
    var name: String { get }
    /// A regular file; nil when it is not there.
    ///
    /// - Throws: ``ArchiveError`` `hostile` when it is something else.
    func file(_ path: String) throws -> FileSpan?
}

extension ArchiveFiles {
    /// A small file whole.
    func document(_ path: String, limit: Int64) throws -> [UInt8] {
        guard let span = try file(path) else {
            throw ArchiveError("damaged", "\(name) has no `\(path)`", fix: "it is incomplete: fetch or make it again")
        }
        return try span.document("\(name): `\(path)`", limit: limit)
    }
}

extension FileSpan {
    /// All of a small file.
    func document(_ what: String, limit: Int64) throws -> [UInt8] {
        guard size <= limit else { throw ArchiveError("tooLarge", "\(what) has \(size) bytes; at most \(limit) are read", fix: "look at where it comes from") }
        return try bytes(at: 0, Int(size))
    }
}

/// Files in a folder of this host. Links are not followed: one could lead to any file of the host.
struct FolderFiles: ArchiveFiles {
    let name: String
    private let folder: RootedFolder

    init(_ path: String) throws {
        name = path
        folder = try RootedFolder(path)
    }

    func file(_ path: String) throws -> FileSpan? {
        var walked = ""
        for part in path.split(separator: "/") {
            walked += walked.isEmpty ? String(part) : "/" + part
            guard let status = try folder.attributes(walked) else { return nil }
            let expected = walked == path ? S_IFREG : S_IFDIR
            guard status.st_mode & S_IFMT == expected else {
                throw ArchiveError(
                    "hostile", "\(name): `\(walked)` is no \(expected == S_IFREG ? "regular file" : "folder")",
                    cause: "links and special files could lead to any file of this host", fix: "copy the layout with its links followed (`cp -rL`)")
            }
        }
        // Should it have become a link meanwhile, it is one within the folder.
        return try FileSpan(folder.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
    }
}

/// Files in an archive: `docker save` of old made links between them, which are followed within the archive.
struct TreeFiles: ArchiveFiles {
    let name: String
    private let tree: FileTree

    init(_ span: FileSpan, name: String, allowance: ArchiveAllowance) throws {
        self.name = name
        let stack = LayerStack(limits: allowance.limits)
        try stack.apply(TarReader(span, archive: name, allowance: allowance), archive: name, whiteouts: false)
        tree = stack.tree
    }

    func file(_ path: String) throws -> FileSpan? {
        var path = ByteString(path)
        for _ in 0..<8 {
            guard let node = tree.node(at: path) else { return nil }
            switch node.kind {
            case .file(let content as TarContent):
                guard let span = content.whole else {
                    throw ArchiveError("unsupported", "\(name): `\(path)` is stored with holes", fix: "make the archive with `tar` and without `-S`")
                }
                return span
            case .symlink(let target): path = Self.follow(target, from: path)
            default: throw ArchiveError("hostile", "\(name): `\(path)` is no regular file", fix: "look at where it comes from")
            }
        }
        throw ArchiveError("hostile", "\(name): the links at `\(path)` go round in circles", fix: "look at where it comes from")
    }

    private static func follow(_ target: ByteString, from path: ByteString) -> ByteString {
        var names = target.bytes.first == 0x2f ? [] : Array(path.components.dropLast())
        for name in target.components {
            if name.bytes == [0x2e, 0x2e] { _ = names.popLast() } else { names.append(name) }
        }
        return names.reduce(ByteString("")) { $0.appending($1) }
    }
}
