import CLinux
import Foundation
import Linux
import Testing

@testable import Trees

/// A file with an ext4 file system in it, which goes when the test ends.
final class TestDisk {
    let path: String

    /// Mounting needs root; with `CI` set, what is missing is a failure.
    static let isPossible = geteuid() == 0 || ProcessInfo.processInfo.environment["CI"] != nil

    init(megabytes: Int = 64) throws {
        path = NSTemporaryDirectory() + "terrine-ext4-\(UUID().uuidString)"
        let file = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL)
        try check("set the size of", path) { ftruncate(file.raw, megabytes << 20) }
    }

    convenience init(options: String, megabytes: Int = 64) throws {
        try self.init(megabytes: megabytes)
        try Self.run("mke2fs -q -F \(options) \(path)")
    }

    deinit { unlink(path) }

    /// - Throws: with what it said, when it fails.
    @discardableResult
    static func run(_ command: String, accepting codes: Set<Int32> = [0]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "exec 2>&1; " + command]
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if !codes.contains(process.terminationStatus) { throw TestFailure("\(command): \(process.terminationStatus)\n\(text)") }
        return text
    }

    struct TestFailure: Error, CustomStringConvertible {
        let description: String
        init(_ text: String) { description = text }
    }

    func debugfs(_ command: String) throws { try Self.run("debugfs -w -R '\(command)' \(path)") }

    func bytes() throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

    /// Mounted on a folder for as long as `body` runs.
    func mounted(_ body: (String) throws -> Void) throws {
        let folder = path + ".mnt"
        mkdir(folder, 0o700)
        defer { rmdir(folder) }
        try Self.run("mount -o loop,user_xattr,acl \(path) \(folder)")
        defer { _ = try? Self.run("umount \(folder)") }
        try body(folder)
    }

    func content() throws -> HostFileContent {
        let file = try Descriptor(path, O_RDONLY)
        return HostFileContent(path, file, size: Int64(lseek(file.raw, 0, SEEK_END)))
    }

    func tree() throws -> FileTree { try Ext4Reader(content()).tree() }

    /// Files of every kind.
    static func fill(_ root: String, rich: Bool) throws {
        try run(
            """
            set -e; cd \(root)
            mkdir -p usr/bin many deep/a/b/c; chmod 2775 usr; chown 1000:70000 usr/bin
            for i in $(seq 1 600); do echo $i > many/a-rather-long-name-of-a-file-so-that-the-folder-is-hashed-$i; done
            rm many/*99
            printf hello > small; : > empty; head -c 3000000 /dev/urandom > large; chmod 4755 large; chown 70000:3000000000 large
            truncate -s 290M sparse; for at in 0 7 4000 39999 70000; do echo $at | dd of=sparse bs=4096 seek=$at conv=notrunc status=none; done
            fallocate -l 200000 unwritten 2>/dev/null || truncate -s 200000 unwritten; printf x | dd of=unwritten bs=1 seek=100000 conv=notrunc status=none
            ln -s small short; ln -s $(printf 'x%.0s' $(seq 1 200)) long; ln -s $(printf 'y%.0s' $(seq 1 59)) fiftynine; ln -s $(printf 'z%.0s' $(seq 1 60)) sixty
            ln small hard; ln small deep/a/hard; ln -s loop loop; ln short linkedlink
            mknod char c 5 1; mknod block b 259 70000; mkfifo fifo; chmod 600 fifo
            printf x > "$(printf 'bytes\\377\\n')"
            setfattr -n user.one -v two small; setfattr -n trusted.t -v x deep
            setfattr -n user.big -v $(printf 'v%.0s' $(seq 1 700)) empty
            setfacl -m u:1234:rx,g:70000:w large; setfacl -d -m u:1:rwx usr
            setcap cap_net_raw+ep usr/bin 2>/dev/null || cp /bin/true usr/bin/ping && setcap cap_net_raw+ep usr/bin/ping
            touch -h -d '1965-01-02 03:04:05' small; touch -d '2024-05-06 07:08:09.123456789' large; touch -h -d '2030-01-01' short
            """)
        if rich { try run("cd \(root); touch -d '2200-02-03 04:05:06.7' empty; setfattr -n user.huge -v $(printf 'h%.0s' $(seq 1 3000)) usr/bin/ping") }
    }
}

/// Compares with what the kernel tells of a mounted file system, file by file: kind, mode, owner, time, attributes, links, content.
func expect(_ tree: FileTree, sameAs root: String, times: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) throws {
    var seen = Set<ByteString>()
    var inodes: [UInt64: ObjectIdentifier] = [:]
    try tree.walk { path, node in
        seen.insert(path)
        var status = stat()
        let full = Array(root.utf8) + [0x2F] + path.bytes
        func withPath<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
            (full + [0]).withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
        }
        guard withPath({ lstat($0, &status) }) == 0 else {
            Issue.record("/\(path) is not there", sourceLocation: sourceLocation)
            return
        }
        #expect(status.st_mode & 0o7777 == UInt32(node.mode), "mode of /\(path)", sourceLocation: sourceLocation)
        #expect(status.st_uid == node.user && status.st_gid == node.group, "owner of /\(path)", sourceLocation: sourceLocation)
        if times, node.folder == nil || path != "" {
            #expect(
                Int64(status.st_mtim.tv_sec) == node.modified.seconds && status.st_mtim.tv_nsec == Int(node.modified.nanoseconds), "time of /\(path)",
                sourceLocation: sourceLocation)
        }
        if node.folder == nil {
            let id = ObjectIdentifier(node)
            #expect(inodes.updateValue(id, forKey: UInt64(status.st_ino)).map { $0 == id } ?? true, "links of /\(path)", sourceLocation: sourceLocation)
        }
        var attributes: [ByteString: [UInt8]] = [:]
        var list = [UInt8](repeating: 0, count: 65536)
        let length = withPath { path in list.withUnsafeMutableBytes { attribute(Int(SYS_llistxattr), path, $0.baseAddress, $0.count) } }
        for name in list[..<max(0, length)].split(separator: 0) {
            var value = [UInt8](repeating: 0, count: 65536)
            let count = withPath { path in
                (Array(name) + [0]).withUnsafeBytes { name in
                    value.withUnsafeMutableBytes {
                        attribute(Int(SYS_lgetxattr), path, UnsafeMutableRawPointer(mutating: name.baseAddress), Int(bitPattern: $0.baseAddress), $0.count)
                    }
                }
            }
            attributes[ByteString(name)] = Array(value[..<max(0, count)])
        }
        #expect(attributes == node.attributes, "attributes of /\(path)", sourceLocation: sourceLocation)
        let format = UInt16(status.st_mode & S_IFMT)
        switch node.kind {
        case .folder: #expect(format == Ext4Inode.Format.folder, "/\(path)", sourceLocation: sourceLocation)
        case .fifo: #expect(format == Ext4Inode.Format.fifo, "/\(path)", sourceLocation: sourceLocation)
        case .socket: #expect(format == Ext4Inode.Format.socket, "/\(path)", sourceLocation: sourceLocation)
        case .symlink(let target):
            var buffer = [UInt8](repeating: 0, count: 8192)
            let count = withPath { name in buffer.withUnsafeMutableBytes { readlink(name, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count) } }
            #expect(ByteString(buffer[..<max(0, count)]) == target, "/\(path)", sourceLocation: sourceLocation)
        case .characterDevice(let device), .blockDevice(let device):
            let number = status.st_rdev
            let (major, minor) = (UInt32(number >> 8 & 0xFFF), UInt32(number & 0xFF | number >> 12 & 0xFFF00))
            #expect(device == DeviceNumber(major: major, minor: minor), "/\(path)", sourceLocation: sourceLocation)
        case .file(let content):
            #expect(format == Ext4Inode.Format.file && Int64(status.st_size) == content.size, "size of /\(path)", sourceLocation: sourceLocation)
            let file = Descriptor(owning: withPath { open($0, O_RDONLY) })
            let same = try sameContent(content, file)
            #expect(same, "content of /\(path)", sourceLocation: sourceLocation)
        }
    }
    let listed = try TestDisk.run("cd \(root); find . -mindepth 1 -print0 | wc -cl; find . -mindepth 1 -printf x | wc -c")
    let count = Int(listed.split(separator: "\n").last?.trimmingCharacters(in: .whitespaces) ?? "")
    let lost = access(root + "/lost+found", F_OK) == 0 && tree.node(at: "lost+found") == nil ? 1 : 0
    #expect(count == seen.count - 1 + lost, "files that the tree has not", sourceLocation: sourceLocation)
}

/// Glibc's own functions for it are hidden from Swift.
private func attribute(_ number: Int, _ path: UnsafePointer<CChar>, _ first: UnsafeMutableRawPointer?, _ second: Int, _ third: Int = 0) -> Int {
    Int(clinux_syscall6(number, Int(bitPattern: path), Int(bitPattern: first), second, third, 0, 0))
}

private func sameContent(_ content: any FileContent, _ file: Descriptor) throws -> Bool {
    var (mine, theirs) = ([UInt8](repeating: 1, count: 1 << 20), [UInt8](repeating: 2, count: 1 << 20))
    var offset: Int64 = 0
    while offset < content.size {
        let count = Int(min(1 << 20, content.size - offset))
        try mine.withUnsafeMutableBytes { try content.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: offset) }
        let got = try theirs.withUnsafeMutableBytes { try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: offset) }
        if got != count || memcmp(mine, theirs, count) != 0 { return false }
        offset += Int64(count)
    }
    return true
}
