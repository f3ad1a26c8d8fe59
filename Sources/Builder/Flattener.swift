import Glibc
import Images
import Linux
import Trees

/// Rewrites an image into one layer that is a pure function of its files: byte for byte the same on any host, from any store that built the same tree.
public struct Flattener: Sendable {
    /// Raised when the same tree gives another disk.
    private static let version = 1
    /// The ``Image/step`` of what it makes.
    public static let step = "flatten"

    private let images: ImageStore

    public init(images: ImageStore) { self.images = images }

    /// - Returns: an image without a parent, with the same tree digest, environment, machine defaults and labels; the one made before, if it is there.
    /// - Throws: ``TreeError`` for a disk that is no ext4 file system in order, or has files that do not fit there again.
    public func flatten(_ image: Image) throws -> Image {
        if image.step == Self.step, image.parent == nil { return image }
        let key = "flatten \(Self.version) \(image.digest.hex)"
        if let known = try images.cached(key) { return known }
        let flight = try images.flightLock(key)
        return try withExtendedLifetime(flight) {
            if let known = try images.cached(key) { return known }
            let tree = try image.tree(in: images).canonical()
            let contents = try tree.scan()
            let size = image.virtualBytes
            let scratch = try ScratchFolder(home: images.home, purpose: "flatten")
            let disk = scratch.path + "/disk"
            let file = try Descriptor(disk, O_RDWR | O_CREAT | O_EXCL)
            try check("set the size of", disk) { ftruncate(file.raw, Int(size)) }
            // A small disk has a small journal, as with mke2fs.
            try Ext4Formatter(tree, contents, size: size, journal: size < 1 << 30 ? 4 << 20 : 16 << 20).write(to: file)
            let draft = ImageDraft(
                parent: nil, virtualBytes: size, environment: image.environment, machine: image.machine, step: Self.step, cacheKey: nil,
                treeDigest: TreeDigest.of(tree, contents).description, labels: image.labels)
            let flat = try images.write(draft) { try DiskFeeder.feed(disk, to: $0) }
            try images.cache(key, image: flat, recipe: "", step: Self.step, record: [:])
            return flat
        }
    }
}
