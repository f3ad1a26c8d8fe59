import Archives
import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import Trees

/// Writes images for other programs: QEMU, tar, podman, docker, skopeo.
///
/// What is written appears under its name when it is complete, and not before.
public struct ImageExport {
    public enum Format: String, Sendable, Codable, CaseIterable {
        case raw, qcow2, tar, oci, docker

        /// By a file's name; nil when that tells nothing.
        public init?(name: String) {
            let endings: [(String, Format)] = [
                (".raw", .raw), (".img", .raw), (".qcow2", .qcow2), (".oci.tar", .oci), (".docker.tar", .docker), (".tar", .tar), (".tar.gz", .tar),
                (".tgz", .tar), (".tar.zst", .tar),
            ]
            guard let found = endings.first(where: { name.hasSuffix($0.0) }) else { return nil }
            self = found.1
        }
    }

    public struct Exported {
        /// Of what was written.
        public var bytes: Int64
        /// What its owner should know.
        public var notes: [String] = []
    }

    private let images: ImageStore

    public init(images: ImageStore) { self.images = images }

    /// - Parameters:
    ///   - name: what others are to call the image.
    ///   - path: a file, or for `oci` a folder unless it ends with `.tar`. A file of that name is replaced, a folder is not.
    ///   - compress: clusters of a qcow2.
    ///   - bootable: whether a raw disk or a qcow2 gets a kernel and a boot loader in front of the image.
    public func run(
        _ image: Image, as format: Format, name: String?, to path: String, compress: Bool = false, bootable: Bool = false, line: (String) -> Void = { _ in }
    ) throws -> Exported {
        let path = URL(fileURLWithPath: path).path
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if access(folder, F_OK) != 0 { throw BuildError("notFound", "there is no folder \(folder) to write to", fix: "`mkdir -p \(folder)`") }
        switch format {
        case .raw:
            let file = try NewFile(path)
            try disk(image, to: file.descriptor, bootable, line)
            try file.publish()
            return Exported(bytes: try DiskFile.bytes(file.descriptor))
        case .qcow2: return try qcow2(image, path, compress, bootable, line)
        case .tar, .oci, .docker: return try files(image, format, name, path, line)
        }
    }

    private func disk(_ image: Image, to file: Descriptor, _ bootable: Bool, _ line: (String) -> Void) throws {
        if bootable {
            let boot = try BootFiles(home: images.home, line: line)
            let scratch = try ScratchFolder(home: images.home, purpose: "boot")
            try withExtendedLifetime(scratch) { try BootableDisk(image, boot, scratch: scratch).write(to: file) }
        } else {
            try check("set the size of", "a disk") { ftruncate(file.raw, Int(image.virtualBytes)) }
        }
        line("writing the disk")
        try DiskFile.write(images.reader(of: image), to: file, at: bootable ? BootableDisk.rootStart : 0)
    }

    private func qcow2(_ image: Image, _ path: String, _ compress: Bool, _ bootable: Bool, _ line: (String) -> Void) throws -> Exported {
        let purpose = "write \(path)"
        try HostTool.require("qemu-img", purpose: purpose)
        let scratch = try ScratchFolder(home: images.home, purpose: "export")
        return try withExtendedLifetime(scratch) {
            let raw = try UnnamedFiles(folder: scratch.path).make()
            try disk(image, to: raw, bootable, line)
            let file = try NewFile(path)
            line("converting it to qcow2")
            let options = compress ? ["-c", "-o", "compression_type=zstd"] : []
            var command = Command("qemu-img", ["convert", "-f", "raw", "-O", "qcow2"] + options + ["/proc/self/fd/3", "/proc/self/fd/4"])
            command.descriptors = [3: raw.raw, 4: file.descriptor.raw]
            let result = try command.capture()
            guard result.status == .exited(0) else {
                throw BuildError("toolFailed", "cannot \(purpose): qemu-img ended with \(result.status.code)", cause: result.errors + result.output)
            }
            try file.publish()
            return Exported(bytes: try DiskFile.bytes(file.descriptor))
        }
    }

    private func files(_ image: Image, _ format: Format, _ name: String?, _ path: String, _ line: (String) -> Void) throws -> Exported {
        line("reading the files")
        let tree = try image.tree(in: images)
        let scratch = try ScratchFolder(home: images.home, purpose: "export")
        return try withExtendedLifetime(scratch) {
            line("writing \(path)")
            let writer = ContainerWriter(files: UnnamedFiles(folder: scratch.path))
            let config = ContainerSettings.container(of: image)
            switch format {
            case .oci:
                let output = try writer.oci(tree, config, reference: name)
                let bytes = path.hasSuffix(".tar") ? try archive(output.tree, to: path).bytes : try NewFolder.publish(output.tree, at: path)
                return Exported(bytes: bytes, notes: Self.notes(output.leftOut))
            case .docker:
                let output = try writer.docker(tree, config, tag: name)
                return Exported(bytes: try archive(output.tree, to: path).bytes, notes: Self.notes(output.leftOut))
            default:
                let (bytes, leftOut) = try archive(tree, to: path)
                return Exported(bytes: bytes, notes: Self.notes(leftOut))
            }
        }
    }

    /// Compressed as the name says.
    private func archive(_ tree: FileTree, to path: String) throws -> (bytes: Int64, leftOut: [ByteString]) {
        let file = try NewFile(path)
        var sink: any ByteSink = FileSink(file.descriptor)
        if path.hasSuffix(".gz") || path.hasSuffix(".tgz") { sink = try GzipSink(sink) }
        if path.hasSuffix(".zst") { sink = try ZstdSink(sink) }
        var writer = TarWriter(sink)
        try writer.write(tree)
        try file.publish()
        return (try DiskFile.bytes(file.descriptor), writer.leftOut)
    }

    private static func notes(_ leftOut: [ByteString]) -> [String] {
        leftOut.isEmpty ? [] : ["left out: \(leftOut.count) sockets, which no archive holds, such as `\(leftOut[0])`"]
    }
}

/// An image's disk as a sparse file.
enum DiskFile {
    private static let chunk = 65536

    /// - Parameter start: where in a file, which is as long as it shall be and has nothing but holes there.
    static func write(_ reader: ImageReader, to file: Descriptor, at start: Int64) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: 4096)
        defer { buffer.deallocate() }
        let count = (reader.virtualBytes + Int64(chunk) - 1) / Int64(chunk)
        for index in 0..<UInt64(count) where !reader.isZero(index) {
            let offset = Int64(index) * Int64(chunk)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(chunk, Int(reader.virtualBytes - offset))])
            try reader.read(index, into: part, at: 0)
            try file.write(UnsafeRawBufferPointer(part), at: start + offset)
        }
    }

    /// What it takes on the disk.
    static func bytes(_ file: Descriptor) throws -> Int64 {
        var status = stat()
        try check("look at", "a file") { fstat(file.raw, &status) }
        return Int64(status.st_blocks) * 512
    }
}
