import ChunkStore
import Foundation
import Glibc
import Linux

/// A kernel, its modules and a boot loader from Debian's packages, fetched by this host's apt and unpacked beside the store; nothing of them is installed.
struct BootFiles {
    /// With the packages unpacked over each other.
    let root: String
    let kernel: String
    /// Of the kernel's modules.
    let modules: String
    /// Where Debian has it, or had it before /bin was a link.
    var busybox: String { ["/usr/bin/busybox", "/bin/busybox"].map { root + $0 }.first { access($0, R_OK) == 0 } ?? root + "/bin/busybox" }

    /// Packages whose files are needed; the kernel's own follows from the first.
    private static let kernelPackage = "linux-image-cloud-amd64"
    private static let packages = ["grub-pc-bin", "grub-common", "libdevmapper1.02.1", "busybox-static"]

    /// - Parameter home: TERRINE_HOME; what was fetched stays there until other versions are current.
    init(home: String, line: (String) -> Void) throws {
        guard HostArchitecture.current == "x86_64" else {
            throw BuildError("unsupported", "a bootable disk needs a BIOS, which this host's architecture has not", fix: "export it without --bootable")
        }
        let purpose = "make a bootable disk"
        let depends = try HostTool.run("apt-cache", ["depends", "--important", Self.kernelPackage], environment: Self.environment, purpose: purpose)
        let image = depends.split(separator: "\n").compactMap { line in line.split(separator: "Depends: ").last.map { String($0) } }.first {
            $0.hasPrefix("linux-image-") && !$0.hasPrefix(Self.kernelPackage)
        }
        guard let image else {
            throw BuildError("notFound", "this host's apt knows no \(Self.kernelPackage)", fix: "`apt-get update`; a bootable disk needs Debian's packages")
        }
        let names = [image] + Self.packages
        let policy = try HostTool.run("apt-cache", ["policy"] + names, environment: Self.environment, purpose: purpose)
        let versions = policy.split(separator: "\n").filter { $0.hasPrefix("  Candidate:") || !$0.hasPrefix(" ") }.joined()
        root = "\(home)/boot/\(Digest.of(text: versions).hex.prefix(16))"
        if access(root, F_OK) != 0 {
            line("fetching \(names.joined(separator: ", "))")
            try Self.fetch(names, to: root, home: home, purpose)
        }
        let boot = try FileManager.default.contentsOfDirectory(atPath: root + "/boot")
        guard let found = boot.first(where: { $0.hasPrefix("vmlinuz-") }) else {
            throw BuildError("damaged", "\(root) has no kernel", fix: "remove it: it is fetched again")
        }
        kernel = "\(root)/boot/\(found)"
        modules = "\(root)/lib/modules/\(found.dropFirst("vmlinuz-".count))/kernel"
    }

    private static var environment: [String] {
        ProcessInfo.processInfo.environment.filter { $0.key != "LANGUAGE" && !$0.key.hasPrefix("LC_") }.map { "\($0.key)=\($0.value)" } + ["LC_ALL=C"]
    }

    /// Under its name when it is complete.
    private static func fetch(_ names: [String], to root: String, home: String, _ purpose: String) throws {
        let scratch = try ScratchFolder(home: home, purpose: "boot")
        try withExtendedLifetime(scratch) {
            let script = """
                cd "$1"; shift; mkdir root
                apt-get -q -o APT::Sandbox::User=root download "$@" >&2
                for package in *.deb; do dpkg -x "$package" root; done
                """
            try HostTool.run("sh", ["-ec", script, "sh", scratch.path] + names, purpose: purpose)
            try FileManager.default.createDirectory(atPath: home + "/boot", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // Somebody else may have been first, with the same packages.
            if rename(scratch.path + "/root", root) != 0, errno != EEXIST, errno != ENOTEMPTY { throw LinuxError("name", root) }
            try syncFolder(home + "/boot")
        }
    }

    /// The boot loader, to lie from the second sector of a disk on: it starts `vmlinuz` and `initrd` of the first partition.
    func loader(_ scratch: ScratchFolder) throws -> [UInt8] {
        let configuration = """
            set root=(hd0,msdos1)
            linux /vmlinuz root=/dev/vda2 console=ttyS0 quiet
            initrd /initrd
            boot

            """
        let (script, image) = (scratch.path + "/grub.cfg", scratch.path + "/core.img")
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: script))
        try HostTool.run(
            root + "/usr/bin/grub-mkimage",
            [
                "-O", "i386-pc", "-d", root + "/usr/lib/grub/i386-pc", "-c", script, "-p", "(hd0,msdos1)/", "-o", image, "biosdisk", "part_msdos", "ext2",
                "linux",
            ],
            environment: Self.environment + ["LD_LIBRARY_PATH=\(root)/lib/x86_64-linux-gnu:\(root)/usr/lib/x86_64-linux-gnu"], purpose: "make the boot loader")
        return try readFile(image)
    }

    /// The first sector's program.
    func bootSector() throws -> [UInt8] { Array(try readFile(root + "/usr/lib/grub/i386-pc/boot.img").prefix(440)) }
}
