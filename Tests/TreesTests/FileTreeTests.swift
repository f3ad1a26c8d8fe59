import Foundation
import Linux
import Testing

@testable import Trees

@Suite("Trees of files")
struct FileTreeTests {
    private func file(_ text: String) -> FileNode { FileNode(.file(BytesContent(Array(text.utf8))), mode: 0o644) }

    @Test("a walk goes through folders by the bytes of names, each before what is in it")
    func order() {
        let inner = FileFolder(["b": file("1"), "B": file("2")])
        let tree = FileTree(root: FileNode(.folder(FileFolder(["a.b": file("3"), "a": FileNode(.folder(inner), mode: 0o755), "é": file("4")])), mode: 0o755))
        var paths: [String] = []
        tree.walk { path, _ in paths.append("\(path)") }
        // As whole paths, `a.b` would come before `a/b`.
        #expect(paths == ["", "a", "a/B", "a/b", "a.b", "é"])
        var outside: [String] = []
        tree.search { path, _ in
            outside.append("\(path)")
            return path != "a"
        }
        #expect(outside == ["", "a", "a.b", "é"])
        #expect(tree.node(at: "/a/./b") === inner["b"])
        #expect(tree.node(at: "a/b/c") == nil)
        #expect(tree.node(at: "") === tree.root)
    }

    @Test("one file under two names is one node, and counted so")
    func links() {
        let shared = file("x")
        let tree = FileTree(root: FileNode(.folder(FileFolder(["one": shared, "two": shared, "three": file("x")])), mode: 0o755))
        #expect(tree.linkCounts() == [ObjectIdentifier(shared): 2])
    }

    @Test("names are bytes: what is not UTF-8 is kept, and shown escaped")
    func names() {
        #expect("\(ByteString([0x61, 0xFF, 0x0A]))" == #"a\xff\x0a"#)
        #expect(ByteString([0x61, 0xFF]) < ByteString([0x61, 0xFF, 0]))
        #expect(ByteString("") < "a")
        for bad in ["", ".", "..", "a/b", "a\0b", String(repeating: "x", count: 256)] { #expect(!ByteString(bad).isFileName, "\(bad)") }
        #expect(ByteString([0xFF, 0xFE]).isFileName)
    }

    @Test("a tree far deeper than any path is walked and freed without calls within calls")
    func depth() {
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            var node = FileNode(.fifo, mode: 0o644)
            for _ in 0..<200_000 { node = FileNode(.folder(FileFolder(["d": node])), mode: 0o755) }
            // Paths of so many names would take too much memory.
            var count = 0
            FileTree(root: consume node).search { path, _ in
                count += 1
                return path.count < 5000
            }
            #expect(count > 2000)
            done.signal()
        }
        // Far too little for a call for each.
        thread.stackSize = 512 << 10
        thread.start()
        done.wait()
    }

    @Test("a host's file tells its holes, and a part of it only its own")
    func holes() throws {
        let path = NSTemporaryDirectory() + "terrine-holes-\(UUID().uuidString)"
        defer { unlink(path) }
        let file = try Descriptor(path, O_RDWR | O_CREAT | O_EXCL)
        #expect(ftruncate(file.raw, 1 << 20) == 0)
        try [UInt8](repeating: 7, count: 65536).withUnsafeBytes { try file.write($0, at: 262_144) }
        #expect(try HostFileContent(path, file, size: 1 << 20).dataRanges() == [262_144..<327_680])
        let part = HostFileContent(path, file, start: 300_000, size: 100_000)
        #expect(try part.dataRanges() == [0..<27_680])
        #expect(try part.bytes().filter { $0 == 7 }.count == 27_680)
        #expect(throws: TreeError.self) { try HostFileContent(path, file, start: 1 << 20, size: 1).bytes() }
    }
}
