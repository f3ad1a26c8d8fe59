import Glibc
import Linux
import Trees

/// Finds out what a file or a folder is, from what is in it, and reads it.
public struct ArchiveReader {
    public let path: String
    private let allowance: ArchiveAllowance
    private let files: UnnamedFiles

    /// - Parameters:
    ///   - path: a file, or a folder with an OCI image layout.
    ///   - files: where what is compressed is decompressed to.
    public init(_ path: String, limits: ArchiveLimits = ArchiveLimits(), files: UnnamedFiles) {
        (self.path, allowance, self.files) = (path, ArchiveAllowance(limits), files)
    }

    public enum Format: String, Sendable, Codable {
        case oci, docker, tar, qcow2, raw
    }

    /// A tree of files, or a disk that nobody has looked into.
    public enum Content {
        case tree(FileTree, ContainerConfig?)
        case disk(FileSpan)
    }

    public struct Result {
        public var format: Format
        public var content: Content
        /// How the archive calls the image.
        public var reference: String?
    }

    /// - Parameter reference: which image, when an archive has several.
    public func read(reference: String? = nil) throws -> Result {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { throw ArchiveError("notFound", "there is no file or folder \(path)", fix: "look at how it is spelled, and where you are") }
            throw LinuxError("open", path)
        }
        let limits = allowance.limits
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            let folder = try FolderFiles(path)
            guard try folder.file("oci-layout") != nil else {
                throw ArchiveError(
                    "unsupported", "the folder \(path) is no OCI image layout: it has no `oci-layout`",
                    fix: "give an archive, or a folder made by `skopeo copy … oci:`")
            }
            return try image(.oci, OCILayoutReader(files: folder, limits: limits).read(reference))
        case S_IFREG, S_IFBLK: break
        default: throw ArchiveError("unsupported", "\(path) is no file and no folder", fix: "save what comes from it in a file first")
        }
        let outer = try FileSpan(Descriptor(path, O_RDONLY))
        let plain = try outer.plain(archive: path, allowance: allowance, files: files).span
        switch try Self.format(of: plain) {
        case .qcow2: return Result(format: .qcow2, content: .disk(plain))
        case .raw: return Result(format: .raw, content: .disk(plain))
        case .tar: return try archive(plain, reference)
        default:
            throw ArchiveError(
                "unsupported", "\(path) is nothing that can be imported",
                cause: plain.size == 0 ? "it is empty" : "it begins like no tar archive, no qcow2 and no disk with a file system or partitions",
                fix: "these are read: raw disks, qcow2, tar (plain, gzip, zstd, xz), OCI image layouts, docker archives")
        }
    }

    private func archive(_ span: FileSpan, _ reference: String?) throws -> Result {
        let limits = allowance.limits
        // The files of an image, if it is one: its own names are few. Any other archive is a root file system.
        if let kind = try Self.kind(of: span, path, allowance.limits) {
            let files = try TreeFiles(span, name: path, allowance: allowance)
            switch kind {
            case .oci: return try image(.oci, OCILayoutReader(files: files, limits: limits).read(reference))
            default: return try image(.docker, DockerArchiveReader(files: files, limits: limits).read(reference))
            }
        }
        let stack = LayerStack(limits: limits)
        try stack.apply(TarReader(span, archive: path, allowance: allowance), archive: path, whiteouts: false)
        return Result(format: .tar, content: .tree(stack.tree, nil))
    }

    private func image(_ format: Format, _ image: ContainerImage) throws -> Result {
        Result(format: format, content: .tree(try image.tree(allowance, files), image.container), reference: image.reference)
    }

    /// By the bytes at the places where formats have theirs.
    static func format(of span: FileSpan) throws -> Format? {
        let first = try span.bytes(at: 0, 2048)
        func has(_ bytes: [UInt8], at offset: Int) -> Bool {
            first.count >= offset + bytes.count && first[offset..<(offset + bytes.count)].elementsEqual(bytes)
        }
        if has([0x51, 0x46, 0x49, 0xfb], at: 0) { return .qcow2 }
        if has(Array("ustar".utf8), at: 257) { return .tar }
        // ext4's superblock, a table of partitions.
        if has([0x53, 0xef], at: 1024 + 56) || has([0x55, 0xaa], at: 510) || has(Array("EFI PART".utf8), at: 512) { return .raw }
        // An archive of before 1988, or one without entries.
        if first.count >= 512, (try? TarHeader(Array(first[..<512]))) != nil { return .tar }  // What cannot be read is none.
        return first.count >= 1024 && first[..<1024].allSatisfy { $0 == 0 } && span.size <= 10240 ? .tar : nil
    }

    /// Whether an archive's files are those of an image. Docker's archives have been layouts too since its version 25.
    private static func kind(of span: FileSpan, _ path: String, _ limits: ArchiveLimits) throws -> Format? {
        var reader = TarReader(span, archive: path, allowance: ArchiveAllowance(limits))
        var names: Set<ByteString> = []
        while let entry = try reader.next() {
            let components = entry.path.components
            if components.count == 1, case .file = entry.kind { names.insert(components[0]) }
        }
        if names.contains("oci-layout"), names.contains("index.json") { return .oci }
        return names.contains("manifest.json")
            && names.allSatisfy({
                $0.bytes.suffix(5).elementsEqual(Array(".json".utf8)) || $0.bytes.suffix(4).elementsEqual(Array(".tar".utf8)) || $0 == "repositories"
                    || $0 == "VERSION" || $0 == "json"
            })
            ? .docker : nil
    }
}
