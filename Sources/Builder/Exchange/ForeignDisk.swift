import Archives
import Foundation
import Glibc
import Linux
import Trees

/// A stranger's file system, found on a disk, copied to a scratch file, and looked at by programs that have no power.
struct ForeignDisk {
    /// A sparse file with the file system and nothing else.
    let path: String
    /// Bytes.
    let size: Int64
    private let name: String

    /// - Parameters:
    ///   - span: the disk, as its `format` has it.
    ///   - name: for errors.
    init(_ span: FileSpan, format: ArchiveReader.Format, name: String, limits: ArchiveLimits, scratch: ScratchFolder) throws {
        self.name = name
        path = scratch.path + "/disk"
        let raw = format == .qcow2 ? try Self.convert(span, name, limits, scratch) : span
        let found = try Self.fileSystem(on: raw, name)
        size = found.size
        guard size <= 16 << 40 else {
            throw BuildError("tooLarge", "\(name) holds a file system of \(size) bytes, which is more than any image", fix: "shrink it with resize2fs")
        }
        let target = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL)
        try check("set the size of", path) { ftruncate(target.raw, Int(size)) }
        let stored = try found.dataRanges().reduce(Int64(0)) { $0 + $1.upperBound - $1.lowerBound }
        guard stored <= limits.bytes else {
            throw BuildError(
                "tooLarge", "\(name) holds \(stored) bytes, and at most \(limits.bytes) are taken",
                fix: "if you trust where it comes from, allow more with --max-size")
        }
        try Self.copy(found, to: target)
    }

    /// Its bytes, for who reads files without mounting.
    var content: any FileContent {
        get throws { HostFileContent(name, try Descriptor(path, O_RDONLY), size: size) }
    }

    /// - Throws: ``BuildError`` `damaged` with what `e2fsck` says.
    func verify() throws {
        let result = try ConfinedTool.run(
            "e2fsck", ["-f", "-n", "/proc/self/fd/3"], files: [3: try Descriptor(path, O_RDONLY)], purpose: "check the file system of \(name)")
        guard result.status == .exited(0) else {
            let words = (result.output + result.errors).split(separator: "\n").suffix(12).joined(separator: "\n")
            throw BuildError(
                "damaged", "the file system of \(name) is damaged, so this host's kernel must not mount it", cause: words,
                fix: "`e2fsck -fy` on the disk where it is at home, then import it again")
        }
    }

    // MARK: Finding

    private static func fileSystem(on disk: FileSpan, _ name: String) throws -> FileSpan {
        if try isExt(disk) { return disk }
        let partitions = try PartitionTable(disk).partitions
        let found = try partitions.map { disk.part($0.lowerBound, $0.upperBound - $0.lowerBound) }.filter(isExt)
        if found.count == 1 { return found[0] }
        if found.count > 1 {
            throw BuildError(
                "ambiguous", "\(name) has \(found.count) partitions with a file system of Linux",
                fix: "copy the one that you want out of it with `dd`, and import that")
        }
        throw BuildError(
            "unsupported", "\(name) has no ext4 file system",
            cause: partitions.isEmpty ? "it has no partitions either" : "none of its \(partitions.count) partitions holds one",
            fix: "import its files as a tar archive instead")
    }

    /// By the magic number of the superblock.
    private static func isExt(_ span: FileSpan) throws -> Bool { try span.bytes(at: 1024 + 56, 2) == [0x53, 0xef] }

    // MARK: Copying

    private static func copy(_ span: FileSpan, to target: Descriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        for range in try span.dataRanges() {
            var offset = range.lowerBound
            while offset < range.upperBound {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(Int64(buffer.count), range.upperBound - offset))])
                let count = try span.read(into: part, at: offset)
                guard count == part.count else {
                    throw BuildError("damaged", "a disk became shorter while it was read", fix: "let nobody write to it meanwhile")
                }
                try target.write(UnsafeRawBufferPointer(part), at: offset)
                offset += Int64(count)
            }
        }
    }

    /// A qcow2 image as a raw one.
    private static func convert(_ span: FileSpan, _ name: String, _ limits: ArchiveLimits, _ scratch: ScratchFolder) throws -> FileSpan {
        let header = try QcowHeader(span.bytes(at: 0, 104), name: name)
        // A small file can stand for a full disk, each cluster the same one.
        guard header.size <= limits.bytes else {
            throw BuildError(
                "tooLarge", "\(name) is a disk of \(header.size) bytes, and at most \(limits.bytes) are taken",
                fix: "if you trust where it comes from, allow more with --max-size")
        }
        // A copy: the program gets a file that it may open, and the original keeps its owner.
        let files = UnnamedFiles(folder: scratch.path)
        let (source, target) = (try files.make(), try files.make())
        try check("set the size of", "a scratch file") { ftruncate(source.raw, Int(span.size)) }
        try copy(span, to: source)
        try check("set the size of", "a scratch file") { ftruncate(target.raw, Int(header.size)) }
        // What is cut off would be read as zeroes. 3: only that it takes more room than it needs.
        let checked = try ConfinedTool.run("qemu-img", ["check", "-f", "qcow2", "/proc/self/fd/3"], files: [3: source], purpose: "check \(name)")
        guard [.exited(0), .exited(3)].contains(checked.status) else {
            let words = (checked.errors + checked.output).split(separator: "\n").suffix(6).joined(separator: "\n")
            throw BuildError(
                "damaged", "the qcow2 image \(name) is damaged", cause: words, fix: "`qemu-img check -r all` where it is at home, or fetch it again")
        }
        let result = try ConfinedTool.run(
            "qemu-img", ["convert", "-n", "--target-is-zero", "-f", "qcow2", "-O", "raw", "/proc/self/fd/3", "/proc/self/fd/4"],
            files: [3: source, 4: target], fileBytes: header.size, purpose: "read \(name)")
        guard result.status == .exited(0) else {
            throw BuildError(
                "damaged", "\(name) cannot be read as qcow2", cause: (result.errors + result.output).trimmingCharacters(in: .whitespacesAndNewlines),
                fix: "`qemu-img check` tells more")
        }
        return try FileSpan(target)
    }
}
