import Glibc
import Linux
import Trees

/// Writes a tree that this program made itself, such as an image layout, into a folder of this host. Not for strangers' trees: those are never unpacked.
public enum FolderWriter {
    /// - Parameter path: a folder that is not there yet; durable when this returns.
    public static func write(_ tree: FileTree, to path: String) throws {
        try tree.walk { name, node in
            let full = name.isEmpty ? path : "\(path)/\(name)"
            switch node.kind {
            case .folder: try check("make the folder", full) { mkdir(full, mode_t(node.mode)) }
            case .file(let content):
                let file = try Descriptor(full, O_WRONLY | O_CREAT | O_EXCL, mode: mode_t(node.mode))
                try copy(content, file)
                try file.sync()
            default: throw ArchiveError("internal", "`\(name)` is neither a file nor a folder")
            }
        }
        try tree.walk { name, node in if node.folder != nil { try syncFolder(name.isEmpty ? path : "\(path)/\(name)") } }
    }

    private static func copy(_ content: any FileContent, _ file: Descriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < content.size {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(Int64(buffer.count), content.size - offset))])
            try content.read(into: part, at: offset)
            try file.write(UnsafeRawBufferPointer(part), at: offset)
            offset += Int64(part.count)
        }
    }
}
