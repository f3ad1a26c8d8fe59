import ChunkStore
import Foundation
import Glibc
import Linux

/// Makes an ext4 file system from a tar archive, such that the same archive gives the same bytes on every host.
///
/// `mke2fs -d` alone does not: it copies change times and access times of the unpacked files, and walks folders in the order that the file
/// system gives. So the archive is unpacked to a tmpfs, whose order is that of the archive, and the times in the inodes are set afterwards.
struct Ext4Writer {
    /// Bytes of the disk.
    var size: Int64
    /// Bytes of the journal.
    var journal: Int64
    /// The file system's UUID and its hash seed come from this.
    var seed: Digest
    /// Seconds since 1970: when everything in the file system was made.
    var epoch: Int

    /// Features by name: what a host's `mke2fs.conf` says must not count.
    private static let features = [
        "none", "has_journal", "ext_attr", "resize_inode", "dir_index", "filetype", "extent", "64bit", "flex_bg", "sparse_super", "large_file",
        "huge_file", "dir_nlink", "extra_isize", "metadata_csum",
    ].joined(separator: ",")

    /// Unpacks `tar` and writes the file system to `image`, a new sparse file.
    func write(tar: String, to image: String, scratch: ScratchFolder) throws {
        let configuration = scratch.path + "/mke2fs.conf"
        try Data("[fs_types]\n ext4 = {\n }\n".utf8).write(to: URL(fileURLWithPath: configuration))
        let root = scratch.path + "/root"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
        let environment =
            ProcessInfo.processInfo.environment.filter { $0.key == "PATH" || $0.key == "TMPDIR" }
            .merging(["E2FSPROGS_FAKE_TIME": String(epoch), "MKE2FS_CONFIG": configuration, "LC_ALL": "C", "TZ": "UTC"]) { $1 }
            .map { "\($0.key)=\($0.value)" }

        try makeFile(image)
        let tmpfs = try fitsInMemory(tar) ? "mount -t tmpfs -o mode=0755,size=90% terrine \"$1\"" : ":"
        // The mount is in a namespace of its own: it goes with the process, however that ends. /dev is the machine's own, made at its start.
        // In a chroot whose / is no mount point nothing there can be made private; what is mounted below it then goes with the namespace all the same.
        let script = """
            mount --make-rprivate / 2>/dev/null || :
            \(tmpfs)
            chown 0:0 "$1"; chmod 0755 "$1"
            tar --extract --file="$2" --directory="$1" --preserve-permissions --numeric-owner --xattrs '--xattrs-include=*' --exclude='./dev/*' --exclude='dev/*'
            mke2fs -q -F -t ext4 -b 4096 -I 256 -i 16384 -m 0 -J size=\(journal >> 20) -U \(uuid(0)) -O \(Self.features) \\
              -E hash_seed=\(uuid(1)),lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0 -d "$1" "$3"
            """
        try tool(
            "unshare", ["--mount", "--propagation", "unchanged", "sh", "-e", "-c", script, "sh", root, tar, image], environment, "unpack \(tar) to an ext4 disk"
        )
        try settleTimes(of: image, environment, scratch)
    }

    private func makeFile(_ path: String) throws {
        let file = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL)
        try check("set the size of", path) { ftruncate(file.raw, Int(size)) }
    }

    /// Whether the unpacked archive may stand in memory. When it may not, the order of folders is the host's, and only that host's build is the same twice.
    private func fitsInMemory(_ tar: String) throws -> Bool {
        var status = stat()
        try check("look at", tar) { stat(tar, &status) }
        let available = (readSmallFile("/proc/meminfo") ?? "").split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }?
            .split(separator: " ").dropFirst().first.flatMap { Int64($0) }
        // Small files take a page each.
        return Int64(status.st_size) * 2 < (available ?? 0) * 1024 / 2
    }

    /// Gives every inode the same change and access time.
    private func settleTimes(of image: String, _ environment: [String], _ scratch: ScratchFolder) throws {
        let text = try tool("dumpe2fs", ["-h", image], environment, "read the file system of \(image)")
        func number(_ name: String) -> Int? {
            text.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: ":").last.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        }
        guard let all = number("Inode count:"), let free = number("Free inodes:") else {
            throw BuildError("diskTools", "cannot tell how many files the new disk holds", cause: String(text.prefix(200)))
        }
        // mke2fs gives inodes out from the first, one after the other.
        let commands = scratch.path + "/times"
        let lines = (1...max(1, all - free)).map { "set_inode_field <\($0)> ctime @\(epoch)\nset_inode_field <\($0)> atime @\(epoch)\n" }
        try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: commands))
        try tool("debugfs", ["-w", "-f", commands, image], environment, "set the times in \(image)")
    }

    @discardableResult
    private func tool(_ program: String, _ arguments: [String], _ environment: [String], _ purpose: String) throws -> String {
        try HostTool.run(program, arguments, environment: environment, purpose: purpose)
    }

    /// A UUID that depends on the seed only.
    private func uuid(_ number: Int) -> String {
        let digest = Digest.of(Array("\(seed.hex) \(number)".utf8))
        var digits = Array(digest.hex.prefix(32))
        digits[12] = "4"
        digits[16] = "8"
        return [digits[0..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20..<32]].map { String($0) }.joined(separator: "-")
    }
}

extension Digest {
    static func of(_ bytes: [UInt8]) -> Digest { bytes.withUnsafeBytes { Digest.of($0) } }

    static func of(text: String) -> Digest { Digest.of(Array(text.utf8)) }
}
