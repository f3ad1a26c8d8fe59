import Foundation
import Linux
import Testing

@testable import Trees

/// What is written must satisfy those who know ext4 best: e2fsck, the kernel, resize2fs.
@Suite("Writing ext4", .enabled(if: TestDisk.isPossible))
struct Ext4FormatterTests {
    /// A tree with files of every kind, as the kernel left them on another file system.
    private static func rich() throws -> (TestDisk, FileTree) {
        let source = try TestDisk(options: "-t ext4 -b 4096")
        try source.mounted { try TestDisk.fill($0, rich: true) }
        return (source, try source.tree())
    }

    private static func format(_ tree: FileTree, megabytes: Int, journal: Int64 = 4 << 20) throws -> TestDisk {
        let disk = try TestDisk(megabytes: megabytes)
        try Ext4Formatter(tree, tree.scan(), size: Int64(megabytes) << 20, journal: journal).write(to: Descriptor(disk.path, O_RDWR))
        return disk
    }

    @Test("e2fsck has no complaint, the kernel shows every file as it was, and its digest is the same", arguments: [64, 129, 300, 3000, 70_000])
    func roundTrip(megabytes: Int) throws {
        let (source, tree) = try Self.rich()
        let disk = try Self.format(tree, megabytes: megabytes)
        let said = try TestDisk.run("e2fsck -fn \(disk.path)")
        #expect(said.split(separator: "\n").count == 7, "\(said)")
        let read = try disk.tree()
        #expect(try TreeDigest.of(read) == TreeDigest.of(tree))
        try disk.mounted { try expect(tree, sameAs: $0) }
        // The kernel goes on with it: its journal, its bitmaps, its checksums.
        try disk.mounted { root in
            try TestDisk.run("cp -a \(root)/many \(root)/more; rm -r \(root)/many; echo x >> \(root)/large; mv \(root)/more \(root)/many; sync")
        }
        try TestDisk.run("e2fsck -fn \(disk.path)")
        withExtendedLifetime(source) {}
    }

    @Test("the same tree gives the same bytes, whatever blocks and holes it was read from")
    func canonical() throws {
        let (source, tree) = try Self.rich()
        let first = try Self.format(tree, megabytes: 64)
        // Another file system: other blocks, no hole at all.
        let copy = try TestDisk(options: "-t ext4 -b 4096 -O ^extent,^64bit,^metadata_csum -N 2000", megabytes: 400)
        try source.mounted { from in try copy.mounted { to in try TestDisk.run("cp -a --sparse=never \(from)/. \(to)/ && touch -r \(from) \(to)") } }
        let other = try copy.tree()
        other.root.modified = tree.root.modified
        #expect(try TreeDigest.of(other) == TreeDigest.of(tree))
        let second = try Self.format(other, megabytes: 64)
        try TestDisk.run("cmp \(first.path) \(second.path)")
        // And what was written, read and written again.
        let again = try first.tree()
        let third = try Self.format(again, megabytes: 64)
        try TestDisk.run("cmp \(first.path) \(third.path)")
    }

    @Test("it grows as far as machines ask, with the kernel's and with resize2fs' way")
    func grows() throws {
        let (source, tree) = try Self.rich()
        let disk = try Self.format(tree, megabytes: 200)
        try TestDisk.run("truncate -s 80G \(disk.path)")
        try TestDisk.run("resize2fs \(disk.path) 70G")
        try TestDisk.run("e2fsck -fn \(disk.path)")
        try disk.mounted { _ in
            let loop = try TestDisk.run("losetup -n -O NAME -j \(disk.path)").trimmingCharacters(in: .whitespacesAndNewlines)
            try TestDisk.run("resize2fs \(loop)")
        }
        try TestDisk.run("e2fsck -fn \(disk.path)")
        #expect(try TreeDigest.of(disk.tree()) == TreeDigest.of(tree))
        withExtendedLifetime(source) {}
    }

    @Test("large trees: files in thousands of pieces, folders of thousands of files, more files than a disk's usual number")
    func large() throws {
        /// Every second span of 64 KiB is a hole.
        struct Comb: FileContent {
            let size: Int64 = 3000 * 131_072
            func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) {
                for index in buffer.indices { buffer[index] = (offset + Int64(index)) % 131_072 == 0 ? 1 : 0 }
            }
            func dataRanges() -> [Range<Int64>] { [0..<size] }
        }
        let names = FileFolder()
        for number in 0..<30_000 { names[ByteString("file-\(number)")] = FileNode(.file(BytesContent(Array("\(number)".utf8))), mode: 0o644) }
        let root = FileFolder(["comb": FileNode(.file(Comb()), mode: 0o600), "names": FileNode(.folder(names), mode: 0o755)])
        let tree = FileTree(root: FileNode(.folder(root), mode: 0o755))
        let disk = try Self.format(tree, megabytes: 400)
        try TestDisk.run("e2fsck -fn \(disk.path)")
        #expect(try TreeDigest.of(disk.tree()) == TreeDigest.of(tree))
        try disk.mounted { root in
            let said = try TestDisk.run("ls \(root)/names | wc -l; cat \(root)/names/file-29999")
            #expect(said == "30000\n29999")
        }
    }

    @Test("what does not fit, and what ext4 cannot hold, is an error that names it")
    func refusals() throws {
        func code(_ node: FileNode, megabytes: Int = 16) -> String? {
            let tree = FileTree(root: FileNode(.folder(FileFolder(["it": node])), mode: 0o755))
            return #expect(throws: TreeError.self) { try Ext4Formatter(tree, tree.scan(), size: Int64(megabytes) << 20, journal: 4 << 20) }?.code
        }
        #expect(code(FileNode(.file(BytesContent([UInt8](repeating: 1, count: 20 << 20))), mode: 0o644)) == "noSpace")
        #expect(code(FileNode(.fifo, mode: 0o644, attributes: ["user.x": [UInt8](repeating: 1, count: 5000)])) == "unsupported")
        #expect(code(FileNode(.fifo, mode: 0o644, attributes: ["btrfs.x": []])) == "unsupported")
        #expect(code(FileNode(.symlink(ByteString(String(repeating: "x", count: 4096))), mode: 0o777)) == "unsupported")
        #expect(code(FileNode(.fifo, mode: 0o644), megabytes: 3) == "noSpace")
    }
}
