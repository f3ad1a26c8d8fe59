import Glibc
import Images
import Linux

/// A disk that a PC's BIOS boots: a boot loader, a partition with a kernel, and the image's own file system in another, byte by byte.
///
/// | bytes | |
/// |---|---|
/// | 0 to 439 | GRUB's `boot.img` |
/// | 440 to 511 | the table of two partitions |
/// | from 512 | GRUB's `core.img`, below 1 MiB |
/// | 1 MiB to 65 MiB | ext2: `vmlinuz`, `initrd` |
/// | from 65 MiB | the image |
struct BootableDisk {
    private static let bootStart: Int64 = 1 << 20
    /// Where the image's bytes begin.
    static let rootStart: Int64 = 65 << 20
    private let boot: BootFiles
    private let image: Image
    private let scratch: ScratchFolder

    init(_ image: Image, _ boot: BootFiles, scratch: ScratchFolder) { (self.image, self.boot, self.scratch) = (image, boot, scratch) }

    /// Writes everything but the image's own bytes to a file that has no bytes yet.
    func write(to file: Descriptor) throws {
        let size = (Self.rootStart + image.virtualBytes + (1 << 20) - 1) / (1 << 20) * (1 << 20)
        guard size / 512 <= Int64(UInt32.max) else {
            throw BuildError("tooLarge", "a BIOS boots from disks of less than 2 TiB", fix: "export it without --bootable, or build it with a smaller `disk`")
        }
        try check("set the size of", "a disk") { ftruncate(file.raw, Int(size)) }
        let loader = try boot.loader(scratch)
        guard Int64(loader.count) <= Self.bootStart - 512 else { throw BuildError("internal", "a boot loader of \(loader.count) bytes has no room") }
        let sector = try boot.bootSector() + table(sectors: UInt32(size / 512))
        try sector.withUnsafeBytes { try file.write($0, at: 0) }
        try loader.withUnsafeBytes { try file.write($0, at: 512) }
        let partition = try readFile(try bootPartition())
        try partition.withUnsafeBytes { try file.write($0, at: Self.bootStart) }
    }

    /// What follows the program in a first sector: a signature, four partitions, the mark.
    private func table(sectors: UInt32) -> [UInt8] {
        func number(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        // Cylinders and heads say nothing any more; all ones tell that.
        func entry(_ active: UInt8, _ first: Int64, _ count: UInt32) -> [UInt8] {
            [active, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff] + number(UInt32(first / 512)) + number(count)
        }
        let boot = entry(0x80, Self.bootStart, UInt32((Self.rootStart - Self.bootStart) / 512))
        let root = entry(0, Self.rootStart, sectors - UInt32(Self.rootStart / 512))
        return Array(image.digest.bytes.prefix(4)) + [0, 0] + boot + root + [UInt8](repeating: 0, count: 32) + [0x55, 0xaa]
    }

    private func bootPartition() throws -> String {
        let (folder, partition) = (scratch.path + "/boot", scratch.path + "/boot.ext2")
        try check("make the folder", folder) { mkdir(folder, 0o755) }
        try InitialRamdisk.make(boot, image, to: folder + "/initrd")
        try HostTool.run("cp", [boot.kernel, folder + "/vmlinuz"], purpose: "copy the kernel")
        let file = try Descriptor(partition, O_RDWR | O_CREAT | O_EXCL)
        try check("set the size of", partition) { ftruncate(file.raw, Int(Self.rootStart - Self.bootStart)) }
        try HostTool.run("mke2fs", ["-q", "-F", "-t", "ext2", "-b", "1024", "-m", "0", "-d", folder, partition], purpose: "make the boot partition")
        return partition
    }
}
