import ChunkStore
import Foundation
import Testing

@testable import Trees

@Suite("Digests of trees")
struct TreeDigestTests {
    private static func tree(_ change: (FileTree) -> Void = { _ in }) -> FileTree {
        let file = FileNode(.file(BytesContent(Array("hello\n".utf8))), mode: 0o644, user: 1, group: 2)
        file.attributes = ["user.b": [1], "user.a": [2, 3]]
        let root = FileFolder([
            "bin": FileNode(.folder(FileFolder(["sh": file])), mode: 0o755), "again": file,
            "dev": FileNode(.characterDevice(DeviceNumber(major: 5, minor: 1)), mode: 0o600),
            "link": FileNode(.symlink("bin/sh"), mode: 0o777), "pipe": FileNode(.fifo, mode: 0o644),
        ])
        let tree = FileTree(root: FileNode(.folder(root), mode: 0o755))
        change(tree)
        return tree
    }

    @Test("what files are counts, times do not, and every difference is one")
    func differences() throws {
        let digest = try TreeDigest.of(Self.tree())
        #expect(try TreeDigest.of(Self.tree { $0.node(at: "bin/sh")?.modified = FileTime(seconds: 7, nanoseconds: 8) }) == digest)
        let changes: [(FileTree) -> Void] = [
            { $0.node(at: "bin/sh")?.mode = 0o755 }, { $0.node(at: "bin/sh")?.user = 3 }, { $0.node(at: "bin/sh")?.group = 3 },
            { $0.node(at: "bin/sh")?.attributes["user.a"] = [2] }, { $0.node(at: "bin/sh")?.attributes["user.c"] = [] },
            { $0.node(at: "bin/sh")?.kind = .file(BytesContent(Array("hellO\n".utf8))) },
            { $0.node(at: "bin/sh")?.kind = .file(BytesContent(Array("hello\n\0".utf8))) },
            { $0.node(at: "dev")?.kind = .blockDevice(DeviceNumber(major: 5, minor: 1)) },
            { $0.node(at: "dev")?.kind = .characterDevice(DeviceNumber(major: 5, minor: 2)) },
            { $0.node(at: "link")?.kind = .symlink("bin/s") }, { $0.root.folder?["pipe"] = nil }, { $0.root.folder?["pipe2"] = $0.node(at: "pipe") },
            // A copy is no hard link.
            { tree in
                guard let file = tree.node(at: "bin/sh") else { return }
                tree.root.folder?["again"] = FileNode(file.kind, mode: file.mode, user: file.user, group: file.group, attributes: file.attributes)
            },
            { $0.node(at: "bin")?.mode = 0o700 }, { $0.root.mode = 0o700 },
        ]
        var seen: Set = [digest]
        for (index, change) in changes.enumerated() { #expect(seen.insert(try TreeDigest.of(Self.tree(change))).inserted, "change \(index)") }
    }

    /// Zeroes, told or not.
    private struct Holes: FileContent {
        let size: Int64
        let told: Bool
        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) {
            for index in buffer.indices { buffer[index] = offset + Int64(index) == 3_000_000 ? 9 : 0 }
        }
        func dataRanges() -> [Range<Int64>] { told ? [2_999_000..<3_001_000] : [0..<size] }
    }

    @Test("a hole says the same as zeroes, and takes no time")
    func holes() throws {
        #expect(try ContentDigest.of([Holes(size: 4_000_000, told: true)]) == ContentDigest.of([Holes(size: 4_000_000, told: false)]))
        #expect(try ContentDigest.of([Holes(size: 1 << 50, told: true)]) == ContentDigest.of([Holes(size: 4_000_000, told: true)]))
    }

    @Test("the bytes are those that Docs/formats/trees.md shows")
    func documented() throws {
        let page = try String(contentsOfFile: URL(filePath: #filePath).deletingLastPathComponent().path + "/../../Docs/formats/trees.md", encoding: .utf8)
        let dump = page.split(separator: "\n").filter { $0.wholeMatch(of: /[0-9a-f]{8}  .*\|/) != nil }
        let bytes = dump.flatMap { $0.dropFirst(10).prefix(49).split(separator: " ").compactMap { UInt8($0, radix: 16) } }
        let digest = try TreeDigest.of(Self.tree())
        #expect(!bytes.isEmpty && Digest.of(bytes) == digest)
        #expect(page.contains("`\(digest.hex)`"))
    }

    @Test("what cannot be read is an error, never a digest")
    func unreadable() {
        struct Broken: FileContent {
            let size: Int64 = 10
            func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws { throw TreeError("corrupt", "gone") }
            func dataRanges() -> [Range<Int64>] { [0..<10] }
        }
        #expect(throws: TreeError.self) { try TreeDigest.of(Self.tree { $0.node(at: "bin/sh")?.kind = .file(Broken()) }) }
    }
}
