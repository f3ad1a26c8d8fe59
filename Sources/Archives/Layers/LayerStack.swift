import Trees

/// Archives laid one over the other into one tree, in memory: nothing is unpacked on this host, so that nothing in them can reach it.
///
/// - Paths are below the tree's root, also those that begin with `/`; `..` in a path is an error.
/// - Links on the way to an entry are followed within the tree, as in a chroot.
/// - What comes later takes the place of what was there; a folder over a folder keeps what is in it.
/// - In layers, `.wh.NAME` removes NAME of the layers below, and `.wh..wh..opq` all that they have in a folder:
///   https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md
public final class LayerStack {
    public let tree = FileTree()
    let limits: ArchiveLimits
    private var layers = 0
    /// Names that the current layer has put in a folder.
    private var placed: [ObjectIdentifier: Set<ByteString>] = [:]
    /// Of what is being read, for errors.
    private var archive = ""

    public init(limits: ArchiveLimits = ArchiveLimits()) { self.limits = limits }

    /// Lays an archive over what is there.
    ///
    /// - Parameters:
    ///   - archive: what to call it in errors.
    ///   - whiteouts: whether it is a layer of an image, in which some names remove others; in a plain archive they are names.
    public func apply(_ reader: TarReader, archive: String, whiteouts: Bool) throws {
        var reader = reader
        self.archive = archive
        placed = [:]
        while let entry = try reader.next() { try apply(entry, whiteouts) }
        placed = [:]
        layers += 1
    }

    private func apply(_ entry: TarEntry, _ whiteouts: Bool) throws {
        let names = try names(in: entry.path, entry)
        guard let name = names.last else {
            guard case .folder = entry.kind else { throw hostile(entry, "it would take the place of the root") }
            describe(tree.root, entry)
            return
        }
        let parent = try folder(names.dropLast(), entry, creating: true)
        if whiteouts, name.bytes.starts(with: Whiteout.prefix) { return try whiteOut(name, parent, entry) }
        try place(entry, name, parent)
    }

    // MARK: Paths

    private func names(in path: ByteString, _ entry: TarEntry) throws -> [ByteString] {
        let names = path.components
        guard names.count <= limits.depth else { throw hostile(entry, "it lies \(names.count) folders deep; at most \(limits.depth) are taken") }
        for name in names where !name.isFileName {
            throw hostile(entry, name.bytes == [0x2e, 0x2e] ? "`..` leads out of where it belongs" : "a name in it has \(name.count) bytes; Linux takes 255")
        }
        return names
    }

    /// The folder at a path, links followed. What is missing is made, if it may be.
    private func folder(_ names: ArraySlice<ByteString>, _ entry: TarEntry, creating: Bool) throws -> FileFolder {
        guard let root = tree.root.folder else { preconditionFailure("the root is a folder") }
        var stack = [root]
        var pending = Array(names.reversed())
        var links = 0
        while let name = pending.popLast() {
            let here = stack[stack.count - 1]
            if name.bytes == [0x2e, 0x2e] {
                if stack.count > 1 { stack.removeLast() }
                continue
            }
            switch here[name]?.kind {
            case .folder(let next):
                if creating { note(name, in: here) }
                stack.append(next)
            case nil:
                guard creating, name.isFileName else { throw hostile(entry, "there is no `\(name)` on the way to it") }
                let next = FileFolder()
                here[name] = FileNode(.folder(next), mode: 0o755)
                note(name, in: here)
                stack.append(next)
            case .symlink(let target):
                links += 1
                guard links <= 40, pending.count < 4096 else { throw hostile(entry, "the links on the way to it go round in circles") }
                if target.bytes.first == 0x2f { stack.removeSubrange(1...) }
                pending += target.components.reversed()
            default: throw hostile(entry, "`\(name)` on the way to it is no folder")
            }
            guard stack.count <= limits.depth + 1 else { throw hostile(entry, "it lies more than \(limits.depth) folders deep") }
        }
        return stack[stack.count - 1]
    }

    private func note(_ name: ByteString, in folder: FileFolder) {
        // Nothing lies below the first.
        if layers > 0 { placed[ObjectIdentifier(folder), default: []].insert(name) }
    }

    // MARK: Entries

    private func place(_ entry: TarEntry, _ name: ByteString, _ parent: FileFolder) throws {
        note(name, in: parent)
        let kind: FileNode.Kind
        switch entry.kind {
        case .folder:
            if let existing = parent[name], existing.folder != nil {
                describe(existing, entry)
                return
            }
            kind = .folder(FileFolder())
        case .file(let content): kind = .file(content)
        case .symlink(let target): kind = .symlink(target)
        case .characterDevice(let number): kind = .characterDevice(number)
        case .blockDevice(let number): kind = .blockDevice(number)
        case .fifo: kind = .fifo
        case .hardLink(let target):
            parent[name] = try linked(target, entry)
            return
        }
        let node = FileNode(kind, mode: entry.mode)
        describe(node, entry)
        parent[name] = node
    }

    private func describe(_ node: FileNode, _ entry: TarEntry) {
        (node.mode, node.user, node.group, node.modified) = (entry.mode, entry.user, entry.group, entry.modified)
        // Linux has no other for links, whatever an archive says.
        if case .symlink = node.kind { node.mode = 0o777 }
        node.attributes = entry.attributes
    }

    private func linked(_ target: ByteString, _ entry: TarEntry) throws -> FileNode {
        let names = try names(in: target, entry)
        guard let last = names.last, let node = try folder(names.dropLast(), entry, creating: false)[last] else {
            throw hostile(entry, "it is a hard link to `\(target)`, which is not there before it")
        }
        guard node.folder == nil else { throw hostile(entry, "it is a hard link to the folder `\(target)`") }
        return node
    }

    // MARK: Whiteouts

    private func whiteOut(_ name: ByteString, _ parent: FileFolder, _ entry: TarEntry) throws {
        if name.bytes == Whiteout.opaque {
            keepOnlyPlaced(parent)
            return
        }
        // What AUFS keeps for itself.
        if name.bytes.starts(with: Whiteout.prefix + Whiteout.prefix) { return }
        let hidden = ByteString(name.bytes.dropFirst(Whiteout.prefix.count))
        guard hidden.isFileName else { throw hostile(entry, "it removes `\(hidden)`, which is no name") }
        if placed[ObjectIdentifier(parent)]?.contains(hidden) == true {
            // Of the same layer, in whichever order they come: only what lies below goes.
            if let folder = parent[hidden]?.folder { keepOnlyPlaced(folder) }
        } else if layers > 0 {
            parent[hidden] = nil
        }
    }

    /// Removes what the layers below have in a folder.
    private func keepOnlyPlaced(_ folder: FileFolder) {
        if layers == 0 { return }
        var pending = [folder]
        while let folder = pending.popLast() {
            let own = placed[ObjectIdentifier(folder)] ?? []
            for (name, node) in folder.children {
                if !own.contains(name) { folder[name] = nil } else if let inside = node.folder { pending.append(inside) }
            }
        }
    }

    private func hostile(_ entry: TarEntry, _ cause: String) -> ArchiveError {
        ArchiveError(
            "hostile", "\(archive): the entry `\(entry.path)` at byte \(entry.offset) is refused", cause: cause,
            fix: "no usual program makes such an archive: look at where it comes from, or make it again with `tar`")
    }
}

/// Names in a layer that remove others.
enum Whiteout {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
}
