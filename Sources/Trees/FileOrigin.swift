import ChunkStore
import Images

/// Where a file of an image comes from: the layer that last wrote it.
public struct FileOrigin: Sendable, Codable {
    /// From the root, without links on the way.
    public var path: String
    public var kind: String
    /// Bytes, of a regular file.
    public var bytes: Int64?
    /// Four octal digits.
    public var mode: String
    public var user: UInt32
    public var group: UInt32
    /// Of a link.
    public var target: String?
    /// The Debian package that it belongs to.
    public var package: String?
    /// Counted from 1, the oldest.
    public var layer: Int
    public var diffID: String
    /// The step that made the layer, and its image and key, as far as the store has them.
    public var step: String?
    public var image: String?
    public var cacheKey: String?
    /// What the layer did to the file: `added`, or what it changed.
    public var change: String

    /// - Throws: ``TreeError`` `notFound`, or what reading the disk throws.
    public static func find(_ path: ByteString, of image: Image, in images: ImageStore) throws -> FileOrigin {
        let reader = try Ext4Reader(ImageDisk(image, in: images))
        guard let (found, node) = try reader.file(at: path) else {
            throw TreeError(
                "notFound", "there is no /\(path.components.map(\.description).joined(separator: "/")) in the image",
                fix: "`terrine run IMAGE -- ls` shows what there is")
        }
        var (layer, change) = (1, "added")
        var before: Looks?
        try images.forEachPrefix(of: image) { prefix in
            // As large as the disk is now: a layer before may have had a smaller one, and then says so itself.
            let disk = ImageDisk(prefix, size: image.virtualBytes)
            let now = try Ext4Reader(disk).file(at: found).map { try Looks($0.node) }
            if let now, now != before {
                layer = prefix.layers
                change = before.map { now.differences(from: $0) } ?? "added"
            }
            before = now
        }
        var origin = FileOrigin(
            path: "/\(found)", kind: node.kind.word, bytes: node.content?.size, mode: octal(node.mode), user: node.user, group: node.group,
            layer: layer, diffID: image.layers[layer - 1].description, change: change)
        if case .symlink(let target) = node.kind { origin.target = "\(target)" }
        origin.package = try DebianOwner(reader).package(of: found)
        if let maker = try maker(of: layer, image, images) {
            (origin.step, origin.image, origin.cacheKey) = (maker.step, maker.digest.description, maker.cacheKey)
        }
        return origin
    }

    private static func octal(_ mode: UInt16) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// The image whose own layer it is: the oldest that has so many.
    private static func maker(of layer: Int, _ image: Image, _ images: ImageStore) throws -> Image? {
        var found: Image?
        var next: Image? = image
        while let one = next {
            if one.layers.count == layer { found = one }
            do { next = try one.parent.map { try images.image($0) } } catch let error as ImageError where error.code == "notFound" {
                // An ancestor that was removed: what is known ends here.
                next = nil
            }
        }
        return found
    }

    /// All of a file that counts.
    private struct Looks: Equatable {
        let kind: UInt8
        let mode: UInt16
        let owner: [UInt32]
        let attributes: [ByteString: [UInt8]]
        let target: ByteString?
        let size: Int64?
        let content: Digest?

        init(_ node: FileNode) throws {
            (kind, mode, owner, attributes, size) = (node.kind.letter, node.mode, [node.user, node.group], node.attributes, node.content?.size)
            if case .symlink(let target) = node.kind { self.target = target } else { target = nil }
            content = try node.content.map { try ContentDigest.of([$0])[0] }
        }

        func differences(from old: Looks) -> String {
            if kind != old.kind { return "kind" }
            var what: [String] = []
            if content != old.content || size != old.size { what.append("content") }
            if target != old.target { what.append("target") }
            if mode != old.mode { what.append("mode") }
            if owner != old.owner { what.append("owner") }
            if attributes != old.attributes { what.append("attributes") }
            return what.joined(separator: ", ")
        }
    }
}

/// Which package dpkg has put a file there for.
struct DebianOwner {
    private let reader: Ext4Reader

    init(_ reader: Ext4Reader) { self.reader = reader }

    /// - Parameter path: without links on the way.
    func package(of path: ByteString) throws -> String? {
        guard !path.isEmpty, let lists = try reader.names(in: "var/lib/dpkg/info")?.filter({ $0.bytes.suffix(5).elementsEqual(".list".utf8) }) else {
            return nil
        }
        // Packages of before /lib was merged into /usr/lib name their files as they were then.
        var wanted: [[UInt8]] = [Array("/".utf8) + path.bytes]
        if path.bytes.starts(with: "usr/".utf8) { wanted.append(Array(path.bytes[3...])) }
        for list in lists.sorted() {
            guard let content = try reader.file(at: ByteString("var/lib/dpkg/info").appending(list))?.node.content, content.size <= 64 << 20 else { continue }
            let bytes = try content.bytes(limit: 64 << 20)
            if bytes.split(separator: 0x0A).contains(where: { line in wanted.contains { line.elementsEqual($0) } }) {
                // `name:architecture.list` of packages that may be there for several.
                return String("\(list)".dropLast(5).prefix { $0 != ":" })
            }
        }
        return nil
    }
}
