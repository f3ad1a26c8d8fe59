import Foundation
import Linux

@testable import Trees

extension FileTree {
    /// Folders of this host, with their files and links, as they are on a disk.
    static func host(_ folders: [String: String]) throws -> FileTree {
        let tree = FileTree()
        for (source, target) in folders {
            var folder = tree.root.folder
            for part in ByteString(target).components {
                let next = folder?[part] ?? FileNode(.folder(FileFolder()), mode: 0o755)
                folder?[part] = next
                folder = next.folder
            }
            if let folder { try fill(folder, from: source) }
        }
        return tree
    }

    private static func fill(_ folder: FileFolder, from path: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            let full = path + "/" + name
            var status = stat()
            guard lstat(full, &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                let inner = FileFolder()
                try fill(inner, from: full)
                folder[ByteString(name)] = FileNode(.folder(inner), mode: UInt16(status.st_mode & 0o7777))
            case S_IFLNK:
                folder[ByteString(name)] = FileNode(.symlink(ByteString(try FileManager.default.destinationOfSymbolicLink(atPath: full))), mode: 0o777)
            case S_IFREG:
                folder[ByteString(name)] = FileNode(
                    .file(LazyFile(path: full, size: Int64(status.st_size))), mode: UInt16(status.st_mode & 0o7777))
            default: break
            }
        }
    }

    /// Opened when it is read: there are more files than a process may have open.
    private struct LazyFile: FileContent {
        let path: String
        let size: Int64
        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
            try HostFileContent(path, Descriptor(path, O_RDONLY), size: size).read(into: buffer, at: offset)
        }
        func dataRanges() -> [Range<Int64>] { size > 0 ? [0..<size] : [] }
    }
}
