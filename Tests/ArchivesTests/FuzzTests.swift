import Foundation
import TestSupport
import Testing

@testable import Archives

@Suite("Damaged archives")
struct FuzzTests {
    /// Whatever the bytes are, a reader returns or throws an error for people.
    private func expectTold(_ body: () throws -> Void) throws {
        do { try body() } catch let error as ArchiveError {
            if error.code == "internal" { Issue.record("\(error)") }
            throw error
        }
    }

    @Test("the tar reader and what it makes never trap")
    func tar() throws {
        let whole = joined(
            RawTar.pax([("path", "a/long"), ("mtime", "-1.5"), ("SCHILY.xattr.user.a", "b"), ("size", "3")]), RawTar.entry("x", data: [1, 2, 3]),
            RawTar.pax([("GNU.sparse.map", "0,5,90,5"), ("GNU.sparse.size", "100"), ("GNU.sparse.name", "h")]),
            RawTar.entry("h", data: [UInt8](repeating: 1, count: 10)), RawTar.entry("l", "1", link: "h"), RawTar.entry("s", "2", link: "../l"),
            RawTar.entry("s/.wh.x"), RawTar.entry("d/", "5"), RawTar.entry(".wh..wh..opq"), RawTar.entry("long", "L", data: Array("a-long-name\u{0}".utf8)),
            RawTar.entry("n"), RawTar.entry("b", "4", device: ("0000007", "0000001")), RawTar.end)
        Fuzzer.run("tar", [whole, RawTar.entry("f", data: [UInt8](repeating: 9, count: 700)) + RawTar.end]) { bytes in
            try expectTold {
                let made = try tree(bytes, bytes, whiteouts: true)
                try made.walk { _, node in
                    if let content = node.content, content.size < 1 << 20 { _ = try content.bytes() }
                }
                _ = try? written(made)
            }
        }
    }

    @Test("checksums do not keep what is behind them from being looked at")
    func behindChecksums() throws {
        let map = Array("2\n0\n3\n4096\n5\n".utf8)
        let stored = joined(map, [UInt8](repeating: 0, count: 512 - map.count), [UInt8](repeating: 1, count: 8))
        let whole = joined(
            RawTar.pax([("path", "a/long"), ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "5000")]),
            RawTar.entry("x", data: stored), RawTar.entry("y", "1", link: "a/long"))
        Fuzzer.run("tar with its checksums made right", [whole + RawTar.end]) { bytes in
            var bytes = bytes
            for start in stride(from: 0, to: bytes.count - 511, by: 512) where bytes[start + 257] == UInt8(ascii: "u") {
                var block = Array(bytes[start..<(start + 512)])
                let sum = Array(String(TarHeader.sum(block), radix: 8).utf8)
                block.replaceSubrange(148..<156, with: sum + [UInt8](repeating: 0, count: 8 - sum.count))
                bytes.replaceSubrange(start..<(start + 512), with: block)
            }
            try expectTold { _ = try tree(bytes) }
        }
    }

    @Test("the readers of manifests, indexes and configs never trap")
    func documents() throws {
        let index =
            #"{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:0","size":3,"annotations":{"a":"b"},"platform":{"architecture":"amd64","os":"linux"}}]}"#
        let manifest = #"{"schemaVersion":2,"config":{"mediaType":"a","digest":"b","size":1},"layers":[{"mediaType":"a","digest":"b","size":1}]}"#
        let config =
            #"{"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"ExposedPorts":{"80/tcp":{}},"Cmd":["a"]},"rootfs":{"type":"layers","diff_ids":["sha256:0"]}}"#
        let docker = #"[{"Config":"a.json","RepoTags":["a:b"],"Layers":["a.tar"]}]"#
        Fuzzer.run("OCI and docker documents", [index, manifest, config, docker].map { Array($0.utf8) }) { bytes in
            var errors: [any Error] = []
            func attempt(_ body: () throws -> Void) throws { do { try expectTold(body) } catch { errors.append(error) } }
            try attempt { _ = try JSONDocument.decode(OCIImageIndex.self, bytes, "index") }
            try attempt { _ = try JSONDocument.decode(OCIImageManifest.self, bytes, "manifest") }
            try attempt { _ = try JSONDocument.decode(OCIImageConfig.self, bytes, "config").container }
            try attempt { _ = try JSONDocument.decode([DockerManifestEntry].self, bytes, "manifest.json") }
            if errors.count == 4 { throw errors[0] }
        }
    }

    @Test("decompressors never trap", arguments: ["gzip", "zstd", "xz"])
    func decompressors(program: String) throws {
        try withFolder { folder in
            try shell("{ seq 3000; head -c 5000 /dev/zero; } | \(program) -c > whole", in: folder)
            let whole = Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/whole")))
            let files = UnnamedFiles(folder: folder)
            var limits = ArchiveLimits()
            limits.bytes = 4 << 20
            Fuzzer.run(program, [whole]) { bytes in
                try expectTold { _ = try span(bytes).plain(archive: "a", allowance: ArchiveAllowance(limits), files: files) }
            }
        }
    }
}
