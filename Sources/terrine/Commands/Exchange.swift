import Archives
import ArgumentParser
import Builder
import Foundation
import Images

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write an image for other programs: QEMU, tar, podman, docker, skopeo.",
        discussion: "The file appears when it is complete, and takes the place of one of that name. Docs/images.md tells what each format holds.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.")
    var image: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to; its ending tells the format and a tar archive's compression.", valueName: "file"))
    var output: String

    @Option(help: ArgumentHelp("raw, qcow2, tar, oci (a folder, or an archive when the name ends with .tar) or docker.", valueName: "format"))
    var format: ImageExport.Format?

    @Flag(help: "Compress a qcow2's clusters with zstd.")
    var compress = false

    @Flag(help: "Put a kernel and a boot loader in front of a raw disk or a qcow2, so that plain QEMU boots it. They are fetched with this host's apt.")
    var bootable = false

    private struct Result: Encodable {
        var image: String
        var digest: String
        var format: ImageExport.Format
        var file: String
        var bytes: Int64
        var notes: [String]
    }

    func run() throws {
        guard let format = format ?? ImageExport.Format(name: output) else {
            throw ValidationError("-o \(output): its ending tells no format; say --format raw, qcow2, tar, oci or docker")
        }
        if compress, format != .qcow2 {
            throw ValidationError("--compress is for qcow2; a tar archive's compression is told by its ending (.tar.gz, .tar.zst)")
        }
        if bootable, format != .qcow2, format != .raw { throw ValidationError("--bootable is for raw and qcow2: no archive is booted") }
        let images = try global.images()
        let found = try images.resolve(image)
        let name = try images.references().first { $0.digest == found.digest && image.hasPrefix($0.name.prefix { $0 != ":" }) }?.name
        let exported = try ImageExport(images: images).run(found, as: format, name: name, to: output, compress: compress, bootable: bootable) {
            global.note($0)
        }
        for note in exported.notes { global.note(note) }
        let file = URL(fileURLWithPath: output).path
        try global.print(
            Result(image: image, digest: found.digest.description, format: format, file: file, bytes: exported.bytes, notes: exported.notes)
        ) { "\(output): \(format.rawValue), \(bytesText(exported.bytes))" }
    }
}

extension ImageExport.Format: ExpressibleByArgument {}

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make an image of a disk, a tar archive, an OCI image layout or a docker archive.",
        discussion: "What a file is, is told by its content. Machines run on a disk's image only with --trust, because this host's kernel would mount what "
            + "a stranger made; --rebuild makes a fresh file system of its files instead.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("raw, qcow2, tar (also compressed with gzip, zstd or xz), docker archive, OCI image layout.", valueName: "file|dir"))
    var file: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The image's name.", valueName: "name[:tag]"))
    var tag: String

    @Option(help: ArgumentHelp("Which image, when an archive has several.", valueName: "name"))
    var reference: String?

    @Flag(help: "Copy the files of a disk, read without mounting it, into a fresh file system.")
    var rebuild = false

    @Option(help: ArgumentHelp("The disk's size, for what has files and no disk.", valueName: "size"))
    var disk = "16GiB"

    @Option(help: ArgumentHelp("How much it may be when it is decompressed.", valueName: "size"))
    var maxSize = "64GiB"

    private struct Result: Encodable {
        var image: String
        var digest: String
        var format: ArchiveReader.Format
        var foreign: Bool
        var findings: TreeFindings?
        var notes: [String]
    }

    func run() throws {
        let name = try ImageReference.normal(tag)
        var options = ImageImport.Options()
        options.reference = reference
        options.rebuilds = rebuild
        options.diskBytes = try MachineOptions.bytes(disk, option: "--disk")
        options.limits.bytes = try MachineOptions.bytes(maxSize, option: "--max-size")
        let images = try global.images()
        let imported = try ImageImport(images: images).run(URL(fileURLWithPath: file).path, options) { global.note($0) }
        try images.tag(name, imported.image)
        for note in imported.notes { global.note(note) }
        let isForeign = images.isForeign(imported.image.digest)
        let result = Result(
            image: name, digest: imported.image.digest.description, format: imported.format, foreign: isForeign, findings: imported.findings,
            notes: imported.notes)
        try global.print(result) { "\(name): \(imported.format.rawValue)" + (isForeign ? ", foreign" : "") }
    }
}
