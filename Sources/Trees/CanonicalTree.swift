/// A tree without what differs by nature between two builds of the same recipe; it is what a ``TreeDigest`` is taken over, and what `flatten` writes.
///
/// - Times: all files get ``Ext4Formatter/epoch``.
/// - `.pyc` files that name the time of their source name that time, so that Python goes on using them.
/// - Logs (files below `/var/log`) and `/etc/machine-id`, which is made at a machine's start, are empty.
/// - Left out: the caches of ldconfig, fontconfig and apt (with its package lists), D-Bus' copy of the machine's id, and systemd's seeds.
/// - `/etc/shadow`: passwords that were last changed on the day of the build were changed on the day of the epoch.
extension FileTree {
    /// A copy; this tree stays as it is.
    ///
    /// - Throws: what reading `/etc/shadow` throws.
    public func canonical() throws -> FileTree {
        var copies: [ObjectIdentifier: FileNode] = [:]
        var folders: [ObjectIdentifier: FileFolder] = [:]
        func copy(_ node: FileNode, _ kind: FileNode.Kind) -> FileNode {
            FileNode(
                kind, mode: node.mode, user: node.user, group: node.group, modified: FileTime(seconds: Ext4Formatter.epoch), attributes: node.attributes)
        }
        func copyFolder(_ node: FileNode, _ folder: FileFolder) -> FileNode {
            let own = FileFolder()
            folders[ObjectIdentifier(folder)] = own
            return copy(node, .folder(own))
        }
        guard let top = root.folder else { return self }
        let result = FileTree(root: copyFolder(root, top))
        var pending: [(path: ByteString, folder: FileFolder)] = [("", top)]
        while let next = pending.popLast() {
            guard let own = folders[ObjectIdentifier(next.folder)] else { continue }
            for (name, node) in next.folder.sorted {
                let path = next.path.appending(name)
                if let folder = node.folder {
                    own[name] = copyFolder(node, folder)
                    pending.append((path, folder))
                    continue
                }
                let treatment = try node.content.map { try CanonicalRule.treatment(of: path, $0) } ?? .keep
                let id = ObjectIdentifier(node)
                switch treatment {
                case .leaveOut: continue
                case .keep: own[name] = copies[id] ?? copy(node, node.kind)
                case .hold(let content): own[name] = copies[id] ?? copy(node, .file(content))
                }
                copies[id] = own[name]
            }
        }
        return result
    }
}

/// What becomes of one regular file.
private enum CanonicalRule {
    enum Treatment {
        case keep
        case leaveOut
        case hold(any FileContent)
    }

    private static let leftOut: Set<ByteString> = [
        "var/cache/ldconfig/aux-cache", "var/cache/apt/pkgcache.bin", "var/cache/apt/srcpkgcache.bin", "var/lib/dbus/machine-id",
        "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret",
    ]
    private static let foldersLeftOut = ["var/cache/fontconfig/", "var/lib/apt/lists/", "var/cache/apt/archives/"].map { Array($0.utf8) }
    private static let logs = Array("var/log/".utf8)
    private static let compiled = Array(".pyc".utf8)

    static func treatment(of path: ByteString, _ content: any FileContent) throws -> Treatment {
        if path.bytes.suffix(4).elementsEqual(compiled) { return .hold(CompiledPython(content)) }
        if path.bytes.starts(with: logs) || path == "etc/machine-id" { return .hold(BytesContent()) }
        if leftOut.contains(path) || foldersLeftOut.contains(where: { path.bytes.starts(with: $0) }) { return .leaveOut }
        if path == "etc/shadow" || path == "etc/shadow-", content.size <= 1 << 20 { return .hold(BytesContent(passwords(try content.bytes()))) }
        return .keep
    }

    /// shadow(5): the third field of a line is the day of the last change; 0 asks for a new password, and stays.
    private static func passwords(_ bytes: [UInt8]) -> [UInt8] {
        let day = Array(String(Ext4Formatter.epoch / 86400).utf8)
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { line -> [UInt8] in
            var fields = line.split(separator: 0x3A, omittingEmptySubsequences: false).map { Array($0) }
            guard fields.count > 3, !fields[2].isEmpty, fields[2] != [0x30] else { return Array(line) }
            fields[2] = day
            return Array(fields.joined(separator: [0x3A]))
        }
        return Array(lines.joined(separator: [0x0A]))
    }
}

/// Bytecode of Python that names the epoch as its source's time: PEP 552, bytes 8 to 12 where the flags before them are 0.
private struct CompiledPython: FileContent {
    private let base: any FileContent

    init(_ base: any FileContent) { self.base = base }

    var size: Int64 { base.size }
    var position: Int64? { base.position }
    func dataRanges() throws -> [Range<Int64>] { try base.dataRanges() }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        try base.read(into: buffer, at: offset)
        guard offset < 12, size >= 16 else { return }
        var head = [UInt8](repeating: 0, count: 8)
        try head.withUnsafeMutableBytes { try base.read(into: $0, at: 0) }
        guard head[2...] == [0x0D, 0x0A, 0, 0, 0, 0] else { return }
        let time = UInt32(truncatingIfNeeded: Ext4Formatter.epoch)
        for index in 8..<Int64(12) where index >= offset && index - offset < Int64(buffer.count) {
            buffer[Int(index - offset)] = UInt8(truncatingIfNeeded: time >> UInt32((index - 8) * 8))
        }
    }
}
