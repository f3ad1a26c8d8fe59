import Testing
import Trees

@testable import Archives

@Suite("Layers one over the other")
struct LayerTests {
    private func paths(_ layers: [[UInt8]]...) throws -> [String] {
        let stack = LayerStack()
        for layer in layers {
            try stack.apply(TarReader(span(layer.flatMap { $0 } + RawTar.end), archive: "layer"), archive: "layer", whiteouts: true)
        }
        var result: [String] = []
        stack.tree.walk { path, node in if !path.isEmpty { result.append("\(path)\(node.folder != nil ? "/" : "")") } }
        return result
    }

    private let below = [
        RawTar.entry("a/", "5"), RawTar.entry("a/one"), RawTar.entry("a/two"), RawTar.entry("a/sub/", "5"), RawTar.entry("a/sub/three"), RawTar.entry("b"),
    ]

    @Test("a whiteout removes what is below, and nothing of its own layer, in whichever order they come")
    func whiteouts() throws {
        #expect(try paths(below, [RawTar.entry("a/.wh.one"), RawTar.entry(".wh.b")]) == ["a/", "a/sub/", "a/sub/three", "a/two"])
        #expect(try paths(below, [RawTar.entry("a/.wh.sub")]) == ["a/", "a/one", "a/two", "b"])
        #expect(try paths(below, [RawTar.entry("b"), RawTar.entry(".wh.b")]).contains("b"))
        #expect(try paths(below, [RawTar.entry(".wh.b"), RawTar.entry("b")]).contains("b"))
        #expect(try paths(below, [RawTar.entry("a/new"), RawTar.entry(".wh.a")]) == ["a/", "a/new", "b"])
        #expect(try paths(below, [RawTar.entry(".wh.a"), RawTar.entry("a/new")]) == ["a/", "a/new", "b"])
    }

    @Test("an opaque folder hides all that is below, and nothing of its own layer, in whichever order they come")
    func opaque() throws {
        #expect(try paths(below, [RawTar.entry("a/.wh..wh..opq"), RawTar.entry("a/new")]) == ["a/", "a/new", "b"])
        #expect(try paths(below, [RawTar.entry("a/new"), RawTar.entry("a/.wh..wh..opq")]) == ["a/", "a/new", "b"])
        #expect(try paths(below, [RawTar.entry("a/sub/new"), RawTar.entry("a/.wh..wh..opq")]) == ["a/", "a/sub/", "a/sub/new", "b"])
        #expect(try paths(below, [RawTar.entry("a/"), RawTar.entry("a/.wh..wh..opq")]) == ["a/", "b"])
    }

    @Test("names of whiteouts are names in the lowest layer and in plain archives")
    func notThere() throws {
        #expect(try paths([RawTar.entry("b"), RawTar.entry(".wh.b"), RawTar.entry(".wh.missing")]) == ["b"])
        #expect(try tree(RawTar.entry(".wh.b") + RawTar.end).node(at: ".wh.b") != nil)
        #expect(try paths(below, [RawTar.entry(".wh..wh.plnk/", "5"), RawTar.entry(".wh.missing")]).contains("b"))
    }

    @Test("a link to a file of a layer below is the same file, and survives the other name")
    func hardLinks() throws {
        let result = try tree(
            RawTar.entry("b", data: [1]) + RawTar.end, RawTar.entry("c", "1", link: "b") + RawTar.entry(".wh.b") + RawTar.end, whiteouts: true)
        #expect(result.node(at: "b") == nil)
        #expect(try result.node(at: "c")?.content?.bytes() == [1])
    }

    @Test("links on the way are followed within the tree, and a folder takes the place of a link")
    func linkedFolders() throws {
        let usr = RawTar.entry("usr/lib/", "5") + RawTar.entry("lib", "2", link: "usr/lib") + RawTar.entry("up", "2", link: "../../../../etc")
        let merged = try tree(usr + RawTar.entry("lib/new") + RawTar.entry("up/passwd") + RawTar.end)
        #expect(merged.node(at: "usr/lib/new") != nil)
        #expect(merged.node(at: "lib/new") == nil)
        // Above the root is the root.
        #expect(try #require(try? tree(RawTar.entry("etc/", "5") + usr + RawTar.entry("up/passwd") + RawTar.end)).node(at: "etc/passwd") != nil)
        let replaced = try tree(usr + RawTar.end, RawTar.entry("lib/", "5") + RawTar.entry("lib/new") + RawTar.end, whiteouts: true)
        #expect(replaced.node(at: "lib/new") != nil)
    }

    @Test("what comes later takes the place of what was there; a folder over a folder keeps what is in it")
    func duplicates() throws {
        #expect(try tree(RawTar.entry("a", data: [1]) + RawTar.entry("a", data: [2]) + RawTar.end).node(at: "a")?.content?.bytes() == [2])
        #expect(try paths(below, [RawTar.entry("a")]) == ["a", "b"])
        #expect(try paths(below, [RawTar.entry("b/", "5"), RawTar.entry("b/in")]).contains("b/in"))
        let merged = try tree(below.flatMap { $0 } + RawTar.entry("a/", "5", mode: "0000700") + RawTar.end)
        #expect(merged.node(at: "a")?.mode == 0o700)
        #expect(merged.node(at: "a/one") != nil)
    }
}
