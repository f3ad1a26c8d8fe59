import Archives
import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import Recipes
import Trees

/// Makes images of what others made: disks, tar archives, OCI image layouts, docker archives.
///
/// An archive is read into a tree in memory and then written into a file system of our own: nothing of it is unpacked on this host. A disk is a file system
/// that this host's kernel would mount, so its image is marked foreign, and no machine runs on it unless its owner says that it is to be trusted.
public struct ImageImport {
    public struct Options {
        /// Which image, when an archive has several.
        public var reference: String?
        /// Whether the files of a disk are copied into a fresh file system.
        public var rebuilds = false
        /// Bytes of the image's disk, for what has files and no disk.
        public var diskBytes: Int64 = 16 << 30
        public var limits = ArchiveLimits()

        public init() {}
    }

    public struct Imported {
        public var image: Image
        public var format: ArchiveReader.Format
        /// Nil for a disk, into which nobody looked.
        public var findings: TreeFindings?
        /// What its owner should know.
        public var notes: [String]
    }

    private let images: ImageStore

    public init(images: ImageStore) { self.images = images }

    /// - Parameter line: told what is done.
    /// - Returns: an image that has no name yet.
    public func run(_ path: String, _ options: Options = Options(), line: (String) -> Void = { _ in }) throws -> Imported {
        let scratch = try ScratchFolder(home: images.home, purpose: "import")
        return try withExtendedLifetime(scratch) {
            line("reading \(path)")
            let read = try ArchiveReader(path, limits: options.limits, files: UnnamedFiles(folder: scratch.path)).read(reference: options.reference)
            switch read.content {
            case .tree(let tree, let config):
                let findings = TreeFindings(tree)
                let image = try write(tree, config, options, scratch, line)
                return Imported(image: image, format: read.format, findings: findings, notes: findings.notes + exposed(config))
            case .disk(let span):
                let disk = try ForeignDisk(span, format: read.format, name: path, limits: options.limits, scratch: scratch)
                line("checking the file system")
                try disk.verify()
                if options.rebuilds {
                    let tree = try Ext4Reader(disk.content).tree()
                    let findings = TreeFindings(tree)
                    return Imported(image: try write(tree, nil, options, scratch, line), format: read.format, findings: findings, notes: findings.notes)
                }
                line("packing the disk")
                var draft = ImageDraft(
                    parent: nil, virtualBytes: disk.size, environment: ["PATH": Recipe.systemPath], machine: MachineDefaults(), step: "import", cacheKey: nil)
                draft.foreignOrigin = path
                let image = try images.write(draft) { try DiskFeeder.feed(disk.path, to: $0) }
                return Imported(image: image, format: read.format, notes: ["its file system was made elsewhere: machines run on it only with --trust"])
            }
        }
    }

    private func exposed(_ config: ContainerConfig?) -> [String] {
        let ports = config?.exposedPorts ?? []
        return ports.isEmpty ? [] : ["it listens on \(ports.joined(separator: ", ")): publish what you want with -p"]
    }

    /// The tree as an image of one layer.
    func write(_ tree: FileTree, _ config: ContainerConfig?, _ options: Options, _ scratch: ScratchFolder, _ line: (String) -> Void) throws -> Image {
        line("writing the disk")
        let contents = try tree.scan()
        let disk = scratch.path + "/image"
        let file = try Descriptor(disk, O_RDWR | O_CREAT | O_EXCL)
        try check("set the size of", disk) { ftruncate(file.raw, Int(options.diskBytes)) }
        // A small disk has a small journal, as with mke2fs.
        try Ext4Formatter(tree, contents, size: options.diskBytes, journal: options.diskBytes < 1 << 30 ? 4 << 20 : 16 << 20).write(to: file)
        line("packing the disk")
        let machine = ContainerSettings(config)
        let draft = ImageDraft(
            parent: nil, virtualBytes: options.diskBytes, environment: machine.environment, machine: machine.defaults, step: "import", cacheKey: nil,
            treeDigest: TreeDigest.of(tree, contents).description, labels: machine.labels)
        return try images.write(draft) { try DiskFeeder.feed(disk, to: $0) }
    }
}
