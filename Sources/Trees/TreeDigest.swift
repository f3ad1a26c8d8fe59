import ChunkStore

/// One digest for all files of a tree: equal for two trees whose files are, whatever blocks, inodes and times they have.
///
/// SHA-256 over `TRRNTREE`, a version (u32: 1), and a record for each name in path order (``FileTree/walk(_:)``), numbers little-endian:
/// - the path: its bytes' number (u32) and its bytes, without a `/` at its start; the root's is empty;
/// - the kind: `d` folder, `f` file, `l` link, `c` and `b` devices, `p` fifo, `s` socket; or `h` for a further name of a file that was told before, and then
///   its first path (u32 and bytes), and no more;
/// - mode (u16), user (u32), group (u32);
/// - the number of extended attributes (u32), and for each, by name: name (u32 and bytes), value (u32 and bytes);
/// - for `f` the size (u64) and the 32 bytes of its ``ContentDigest``; for `l` the target (u32 and bytes); for `c` and `b` major and minor number (u32 each).
public enum TreeDigest {
    static let version: UInt32 = 1

    public static func of(_ tree: FileTree) throws -> Digest { of(tree, try tree.scan()) }

    /// - Parameter contents: what ``FileTree/scan()`` told of this very tree.
    public static func of(_ tree: FileTree, _ contents: [ObjectIdentifier: ContentScan]) -> Digest {
        var bytes = Array("TRRNTREE".utf8)
        bytes.append(little: version)
        func add(_ text: [UInt8]) {
            bytes.append(little: UInt32(text.count))
            bytes += text
        }
        var first: [ObjectIdentifier: ByteString] = [:]
        tree.walk { path, node in
            add(path.bytes)
            let id = ObjectIdentifier(node)
            if node.folder == nil, let other = first.updateValue(first[id] ?? path, forKey: id) {
                bytes.append(UInt8(ascii: "h"))
                add(other.bytes)
                return
            }
            bytes.append(node.kind.letter)
            bytes.append(little: node.mode)
            bytes.append(little: node.user)
            bytes.append(little: node.group)
            bytes.append(little: UInt32(node.attributes.count))
            for (name, value) in node.attributes.sorted(by: { $0.key < $1.key }) {
                add(name.bytes)
                add(value)
            }
            switch node.kind {
            case .file(let content):
                bytes.append(little: UInt64(content.size))
                if let scan = contents[id] { bytes += scan.digest.bytes }
            case .symlink(let target): add(target.bytes)
            case .characterDevice(let device), .blockDevice(let device):
                bytes.append(little: device.major)
                bytes.append(little: device.minor)
            case .folder, .fifo, .socket: break
            }
        }
        return bytes.withUnsafeBytes { Digest.of($0) }
    }
}

extension FileNode.Kind {
    /// As in a ``TreeDigest``.
    var letter: UInt8 {
        switch self {
        case .folder: UInt8(ascii: "d")
        case .file: UInt8(ascii: "f")
        case .symlink: UInt8(ascii: "l")
        case .characterDevice: UInt8(ascii: "c")
        case .blockDevice: UInt8(ascii: "b")
        case .fifo: UInt8(ascii: "p")
        case .socket: UInt8(ascii: "s")
        }
    }
}
