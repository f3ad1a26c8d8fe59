import Foundation
import Linux
import TestSupport
import Testing

@testable import Trees

/// File systems made by the real `mke2fs`, and filled by `debugfs` and by this kernel.
@Suite("Reading ext4 without mounting it", .enabled(if: TestDisk.isPossible))
struct Ext4ReaderTests {
    @Test(
        "what the kernel wrote is read as the kernel tells it, whatever the features",
        arguments: [
            "-t ext4 -b 4096", "-t ext4 -b 1024 -I 256", "-t ext4 -b 4096 -O inline_data,ea_inode -I 512", "-t ext2", "-t ext3 -b 1024",
            "-t ext4 -b 4096 -O ^64bit,^metadata_csum",
            "-t ext4 -b 4096 -O meta_bg,^resize_inode,metadata_csum_seed", "-t ext4 -b 2048 -O bigalloc -C 16384", "-t ext4 -O ^extent,^64bit -I 128",
            "-t ext4 -O large_dir,quota,project",
        ])
    func kernel(options: String) throws {
        let disk = try TestDisk(options: options)
        try disk.mounted { root in
            try TestDisk.fill(root, rich: options.contains("-b 4096"))
        }
        let tree = try disk.tree()
        try disk.mounted { root in try expect(tree, sameAs: root) }
        var names = 0
        tree.walk { _, _ in names += 1 }
        #expect(names > 600)
    }

    @Test("a file system that was not unmounted says so, and how to mend it")
    func dirty() throws {
        let disk = try TestDisk(options: "-t ext4")
        try disk.debugfs("feature needs_recovery")
        let error = #expect(throws: TreeError.self) { _ = try disk.tree() }
        #expect(error?.code == "needsRecovery")
        #expect(error?.fix?.contains("e2fsck -fy") == true)
    }

    @Test(
        "each kind of damage is an error that names the file and what is wrong with it",
        arguments: [
            ("sif /d/one links_count 0", "is no file's"), ("clri /d/one", "inode"), ("sif /d/one mode 0170644", "mode"),
            ("ln /d /d/again", "two places"), ("sif /d/one block[5] 0x1FFFFF", "not on the disk"), ("ln /d/one /d/x\\\\057y", ""),
        ])
    func damage(command: String, says: String) throws {
        let disk = try TestDisk(options: "-t ext4 -O ^metadata_csum")
        try disk.mounted { root in
            try FileManager.default.createDirectory(atPath: root + "/d", withIntermediateDirectories: false)
            try Data(repeating: 7, count: 100_000).write(to: URL(filePath: root + "/d/one"))
        }
        try disk.debugfs(command)
        do {
            let tree = try disk.tree()
            if says.isEmpty { return }
            _ = try tree.node(at: "d/one")?.content?.bytes()
            Issue.record("\(command) was not noticed")
        } catch let error as TreeError {
            #expect(error.code == "corrupt")
            #expect(error.cause?.contains(says) == true, "\(error)")
        }
    }

    @Test("a flipped bit in metadata is found by its checksum")
    func checksums() throws {
        let disk = try TestDisk(options: "-t ext4 -b 4096 -N 256", megabytes: 8)
        try disk.mounted { root in try Data(repeating: 7, count: 100_000).write(to: URL(filePath: root + "/one")) }
        let good = try disk.bytes()
        #expect(throws: Never.self) { try Ext4Reader(BytesContent(good)).tree() }
        // Superblock, group descriptor.
        for place in [1024 + 0x4, 1024 + 0x88, 4096 + 8, 4096 + 0x2C] {
            var bad = good
            bad[place] ^= 0x10
            #expect(throws: TreeError.self, "\(place)") { try Ext4Reader(BytesContent(bad)).tree() }
        }
    }

    @Test("whatever a hostile disk holds, reading it ends with files or an error")
    func hostile() throws {
        var wholes: [[UInt8]] = []
        for options in ["-t ext4 -b 1024 -N 64 -O ^metadata_csum,^has_journal,inline_data -I 256", "-t ext2 -b 1024 -N 64"] {
            let disk = try TestDisk(options: options, megabytes: 1)
            try disk.mounted { root in
                try FileManager.default.createDirectory(atPath: root + "/d/e", withIntermediateDirectories: true)
                for number in 0..<12 { try Data(repeating: UInt8(number), count: number * number * 100).write(to: URL(filePath: root + "/d/\(number)")) }
                symlink(String(repeating: "x", count: 200), root + "/d/link")
                symlink("short", root + "/short")
            }
            wholes.append(try disk.bytes())
        }
        // Damage where it counts: what is not zero is metadata, mostly.
        var fuzzer = MetadataFuzzer(wholes)
        var refused = 0
        for _ in 0..<Fuzzer.count / 3 {
            let input = fuzzer.next()
            do {
                let tree = try Ext4Reader(BytesContent(input)).tree()
                try tree.walk { _, node in
                    guard let content = node.content else { return }
                    for range in try content.dataRanges() where range.count < 1 << 20 {
                        var buffer = [UInt8](repeating: 0, count: Int(range.count))
                        try buffer.withUnsafeMutableBytes { try content.read(into: $0, at: range.lowerBound) }
                    }
                }
            } catch is TreeError { refused += 1 }
        }
        #expect(refused > 0)
    }

    @Test("what is no ext4 at all is told so")
    func nothing() {
        for bytes in [[], [UInt8](repeating: 0, count: 1 << 16)] {
            let error = #expect(throws: TreeError.self) { try Ext4Reader(BytesContent(bytes)) }
            #expect(error?.code == "notExt4")
        }
    }
}

/// Changes numbers in what is not zero.
private struct MetadataFuzzer {
    private let wholes: [[UInt8]]
    private let places: [[Int]]
    private var random = SystemRandom(seed: 7)

    init(_ wholes: [[UInt8]]) {
        self.wholes = wholes
        places = wholes.map { whole in whole.indices.filter { whole[$0] != 0 } }
    }

    mutating func next() -> [UInt8] {
        let which = random.below(wholes.count)
        var bytes = wholes[which]
        for _ in 0...random.below(6) {
            let at = places[which][random.below(places[which].count)]
            switch random.below(4) {
            case 0: bytes[at] ^= 1 << UInt8(random.below(8))
            case 1: bytes[at] = UInt8(random.below(256))
            case 2: for index in at..<min(bytes.count, at + 4) { bytes[index] = 0xFF }
            default:
                // What one part says, said of another.
                let from = places[which][random.below(places[which].count)]
                for index in 0..<4 where at + index < bytes.count && from + index < bytes.count { bytes[at + index] = bytes[from + index] }
            }
        }
        return bytes
    }
}

struct SystemRandom {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func below(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % max(1, limit)
    }
}

extension Ext4ReaderTests {
    @Test("one file is found by its path, through links, without a look at all others")
    func lookup() throws {
        let disk = try TestDisk(options: "-t ext4")
        try disk.mounted { root in
            try TestDisk.run(
                "cd \(root); mkdir -p usr/bin etc; echo hello > usr/bin/tool; ln -s usr/bin bin; ln -s /usr/../bin/tool etc/tool; ln -s loop loop; ln -s ../etc usr/etc"
            )
        }
        let reader = try Ext4Reader(disk.content())
        let found = try #require(try reader.file(at: "/bin/tool"))
        #expect(found.path == "usr/bin/tool")
        #expect(try found.node.content?.bytes() == Array("hello\n".utf8))
        #expect(try reader.file(at: "usr/etc/tool")?.path == "etc/tool")
        #expect(try reader.file(at: "/")?.path == "")
        for missing: ByteString in ["nothing", "bin/tool/x", "loop/x", "etc/tool/x"] { #expect(try reader.file(at: missing) == nil) }
        #expect(try reader.names(in: "usr/bin") == ["tool"])
        #expect(try reader.names(in: "usr/bin/tool") == nil)
        #expect(try reader.names(in: "usr")?.sorted() == ["bin", "etc"])
    }
}
