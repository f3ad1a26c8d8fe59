import ChunkStore
import Foundation
import Testing

@testable import Trees

@Suite("Differences of trees, and trees without what differs by nature")
struct TreeDifferenceTests {
    private func file(_ text: String, mode: UInt16 = 0o644) -> FileNode { FileNode(.file(BytesContent(Array(text.utf8))), mode: mode) }
    private func folder(_ children: [ByteString: FileNode]) -> FileNode { FileNode(.folder(FileFolder(children)), mode: 0o755) }

    @Test("what was added, changed and removed is told with what changed and with sizes")
    func difference() throws {
        let (one, two) = (file("linked"), file("linked"))
        let old = FileTree(
            root: folder([
                "same": file("x"), "gone": folder(["inside": file("12345")]), "mode": file("x"), "text": file("abc"), "longer": file("a"),
                "link": FileNode(.symlink("a"), mode: 0o777), "was": file("x"), "a": one, "b": one, "time": file("t"),
            ]))
        let new = FileTree(
            root: folder([
                "same": file("x"), "mode": file("x", mode: 0o600), "text": file("abd"), "longer": file("ab"), "link": FileNode(.symlink("b"), mode: 0o777),
                "was": folder(["new": file("123")]), "a": two, "b": file("linked"), "time": file("t"),
            ]))
        new.node(at: "time")?.modified = FileTime(seconds: 9)
        new.node(at: "same")?.attributes = ["user.x": [1]]
        let entries = try TreeDifference(from: old, to: new).entries
        let told = entries.map { "\($0.change) \($0.kind) \($0.path) \($0.what.joined(separator: ",")) \($0.oldBytes ?? -1) \($0.newBytes ?? -1)" }
        #expect(
            told == [
                "changed file a links 6 6", "changed file b links 6 6", "removed folder gone  -1 -1", "removed file gone/inside  5 -1",
                "changed link link target -1 -1", "changed file longer content 1 2", "changed file mode mode 1 1", "changed file same attributes 1 1",
                "changed file text content 3 3", "changed folder was kind,mode 1 -1", "added file was/new  -1 3",
            ])
        #expect(try TreeDifference(from: new, to: new).entries.isEmpty)
    }

    @Test("logs, caches, times, the machine's id and what Python notes of times do not count; what is next to them does")
    func canonical() throws {
        /// As `python3 -m compileall` writes it, with the source's time in it.
        func compiled(_ time: UInt8, flags: UInt8 = 0) -> FileNode {
            FileNode(.file(BytesContent([0xA7, 0x0D, 0x0D, 0x0A, flags, 0, 0, 0, time, 1, 2, 3, 9, 0, 0, 0, 0xE3, 1])), mode: 0o644)
        }
        func tree(_ text: String, day: String = "19000", pyc: FileNode, more: [ByteString: FileNode] = [:]) -> FileTree {
            let cache = folder(["ldconfig": folder(["aux-cache": file(text)]), "fontconfig": folder(["x.cache-8": file(text)])])
            let lists = folder(["lists": folder(["deb_dists": file(text)])])
            let etc = folder(["machine-id": file(text), "shadow": file("root:*:\(day):0:99999:7:::\nold:!:0:0:::::\n")])
            let base: [ByteString: FileNode] = [
                "etc": etc, "var": folder(["log": folder(["dpkg.log": file(text)]), "cache": cache, "lib": folder(["apt": lists])]), "m.pyc": pyc,
            ]
            let tree = FileTree(root: folder(base.merging(more) { $1 }))
            tree.root.modified = FileTime(seconds: Int64(text.utf8.count))
            return tree
        }
        func digest(_ tree: FileTree) throws -> Digest { try TreeDigest.of(tree.canonical()) }
        let first = try digest(tree("one", pyc: compiled(1)))
        #expect(try digest(tree("another", day: "20100", pyc: compiled(2))) == first)
        // A bytecode file that is checked by its source's hash names no time.
        #expect(try digest(tree("one", pyc: compiled(1, flags: 1))) != digest(tree("one", pyc: compiled(2, flags: 1))))
        #expect(try digest(tree("one", pyc: compiled(1), more: ["opt": file("x")])) != first)
        let shadow = try tree("one", day: "20100", pyc: compiled(1)).canonical().node(at: "etc/shadow")?.content?.bytes()
        #expect(shadow.map { String(decoding: $0, as: UTF8.self) } == "root:*:19675:0:99999:7:::\nold:!:0:0:::::\n")
        #expect(try tree("one", pyc: compiled(1)).canonical().node(at: "var/log/dpkg.log")?.content?.size == 0)
        // What it was made from has not changed.
        let source = tree("one", pyc: compiled(1))
        _ = try source.canonical()
        #expect(source.node(at: "var/log/dpkg.log")?.content?.size == 3)
    }
}
