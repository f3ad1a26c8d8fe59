/// What became of the files of one tree in another. Times do not count.
public struct TreeDifference: Sendable {
    public struct Entry: Codable, Sendable, Equatable {
        public enum Change: String, Codable, Sendable { case added, removed, changed }

        /// Without a `/` at its start; bytes that are no text are written `\xNN`.
        public var path: String
        public var change: Change
        /// `file`, `folder`, `link`, `device`, `fifo` or `socket`; what it is in the new tree, or was in the old one.
        public var kind: String
        /// Of a changed one: some of `kind`, `content`, `target`, `device`, `mode`, `owner`, `attributes`, `links`.
        public var what: [String]
        /// Bytes of a regular file in the old tree; nil where there was none.
        public var oldBytes: Int64?
        public var newBytes: Int64?

        /// Bytes that it gained, or lost, or that its change is about: what lists are sorted by.
        public var weight: Int64 { max(oldBytes ?? 0, newBytes ?? 0) }
    }

    /// In path order.
    public let entries: [Entry]

    private struct Pair {
        var path: ByteString
        var old: FileNode?
        var new: FileNode?
    }

    /// - Throws: what reading contents throws; only those are read that may differ and are of one size.
    public init(from old: FileTree, to new: FileTree) throws {
        let pairs = Self.pairs(old, new)
        let links = (Self.firstNames(old), Self.firstNames(new))
        let differing = try Self.differingContents(pairs)
        entries = pairs.enumerated().compactMap { index, pair in Self.entry(pair, isOther: differing.contains(index), links) }
    }

    /// Every path of either.
    private static func pairs(_ old: FileTree, _ new: FileTree) -> [Pair] {
        var result: [Pair] = []
        var pending = [Pair(path: "", old: old.root, new: new.root)]
        while let pair = pending.popLast() {
            result.append(pair)
            let (before, after) = (pair.old?.folder, pair.new?.folder)
            let names = Set((before?.children.keys).map(Array.init) ?? []).union((after?.children.keys).map(Array.init) ?? [])
            for name in names.sorted(by: >) { pending.append(Pair(path: pair.path.appending(name), old: before?[name], new: after?[name])) }
        }
        return result
    }

    /// For a file with several names, the first of them.
    private static func firstNames(_ tree: FileTree) -> [ObjectIdentifier: ByteString] {
        let counts = tree.linkCounts()
        var first: [ObjectIdentifier: ByteString] = [:]
        tree.walk { path, node in
            let id = ObjectIdentifier(node)
            if counts[id] != nil, first[id] == nil { first[id] = path }
        }
        return first
    }

    /// Indexes of pairs whose contents have one size and are not the same.
    private static func differingContents(_ pairs: [Pair]) throws -> Set<Int> {
        var doubtful: [(index: Int, old: any FileContent, new: any FileContent)] = []
        for (index, pair) in pairs.enumerated() {
            guard let old = pair.old?.content, let new = pair.new?.content, old.size == new.size, old.size > 0 else { continue }
            if try !new.isKnownEqual(to: old) { doubtful.append((index, old, new)) }
        }
        // One after the other, so that each side is read in the order of its disk.
        let (old, new) = (try ContentDigest.of(doubtful.map(\.old)), try ContentDigest.of(doubtful.map(\.new)))
        return Set(doubtful.indices.filter { old[$0] != new[$0] }.map { doubtful[$0].index })
    }

    private static func entry(_ pair: Pair, isOther: Bool, _ links: ([ObjectIdentifier: ByteString], [ObjectIdentifier: ByteString])) -> Entry? {
        let path = "\(pair.path)"
        switch (pair.old, pair.new) {
        case (nil, nil): return nil
        case (let old?, nil): return Entry(path: path, change: .removed, kind: old.kind.word, what: [], oldBytes: old.content?.size)
        case (nil, let new?): return Entry(path: path, change: .added, kind: new.kind.word, what: [], newBytes: new.content?.size)
        case (let old?, let new?):
            var what: [String] = []
            if old.kind.letter != new.kind.letter {
                what.append("kind")
            } else {
                switch (old.kind, new.kind) {
                case (.file(let before), .file(let after)): if before.size != after.size || isOther { what.append("content") }
                case (.symlink(let before), .symlink(let after)): if before != after { what.append("target") }
                case (.characterDevice(let before), .characterDevice(let after)), (.blockDevice(let before), .blockDevice(let after)):
                    if before != after { what.append("device") }
                default: break
                }
            }
            if old.mode != new.mode { what.append("mode") }
            if old.user != new.user || old.group != new.group { what.append("owner") }
            if old.attributes != new.attributes { what.append("attributes") }
            if links.0[ObjectIdentifier(old)] != links.1[ObjectIdentifier(new)] { what.append("links") }
            if what.isEmpty { return nil }
            return Entry(path: path, change: .changed, kind: new.kind.word, what: what, oldBytes: old.content?.size, newBytes: new.content?.size)
        }
    }
}

extension FileNode.Kind {
    /// For people.
    public var word: String {
        switch self {
        case .folder: "folder"
        case .file: "file"
        case .symlink: "link"
        case .characterDevice, .blockDevice: "device"
        case .fifo: "fifo"
        case .socket: "socket"
        }
    }
}
