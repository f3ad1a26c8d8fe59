import Foundation
import Testing
import Trees

@testable import Archives

/// An archive that no honest program makes, and what is said of it.
struct HostileArchive: CustomTestStringConvertible, Sendable {
    var testDescription: String
    /// Layers, the lowest first; the end mark is added.
    var layers: [[UInt8]]
    var code: String
    /// In the error, with the archive's name.
    var words: String
    /// Whether the end mark is missing.
    var isCut = false
    var limits = ArchiveLimits()

    init(_ name: String, _ layers: [[UInt8]], _ code: String, _ words: String, isCut: Bool = false, _ change: (inout ArchiveLimits) -> Void = { _ in }) {
        (testDescription, self.layers, self.code, self.words, self.isCut) = (name, layers, code, words, isCut)
        change(&limits)
    }

    private typealias Raw = RawTar
    private static func sparse(_ map: String, size: String = "100", stored: Int = 10) -> [UInt8] {
        Raw.pax([("GNU.sparse.map", map), ("GNU.sparse.size", size), ("GNU.sparse.name", "holes")]) + Raw.entry("x", data: [UInt8](repeating: 7, count: stored))
    }

    /// One by one: as one expression it would take the compiler minutes.
    static let refused: [HostileArchive] = {
        var all: [HostileArchive] = []
        func add(
            _ name: String, _ layers: [[UInt8]], _ code: String, _ words: String, isCut: Bool = false, _ change: (inout ArchiveLimits) -> Void = { _ in }
        ) {
            all.append(HostileArchive(name, layers, code, words, isCut: isCut, change))
        }
        add("a path that climbs out", [Raw.entry("../escaped")], "hostile", "`..`")
        add("a path that climbs out from within", [Raw.entry("a/b/../../../escaped")], "hostile", "`..`")
        add("an absolute path that climbs out", [Raw.entry("/../../etc/passwd")], "hostile", "`..`")
        add("a hard link to a file outside", [Raw.entry("in", "1", link: "../../etc/shadow")], "hostile", "`..`")
        add("a hard link to a file of the host by its absolute path", [Raw.entry("in", "1", link: "/etc/shadow")], "hostile", "no `etc`")
        add("a hard link to nothing", [Raw.entry("in", "1", link: "missing")], "hostile", "not there")
        add("a hard link to what comes later", [Raw.entry("in", "1", link: "later") + Raw.entry("later")], "hostile", "not there")
        add("a hard link to a folder", [Raw.entry("d/", "5") + Raw.entry("d/in", "1", link: "d")], "hostile", "folder")
        add("a hard link through links in circles", [Raw.entry("a", "2", link: "a") + Raw.entry("b", "1", link: "a/x")], "hostile", "circles")
        add(
            "a path through links in circles", [Raw.entry("a", "2", link: "b") + Raw.entry("b", "2", link: "a") + Raw.entry("a/x")], "hostile", "circles")
        add("a path through a file", [Raw.entry("a") + Raw.entry("a/x")], "hostile", "no folder")
        add("a path through a device", [Raw.entry("a", "3") + Raw.entry("a/x")], "hostile", "no folder")
        add("a file in the place of the root", [Raw.entry("./")], "ok", "")
        add("a link in the place of the root", [Raw.entry(".", "2", link: "/etc")], "hostile", "root")
        add("a device number that Linux has not", [Raw.entry("d", "4", device: ("7777777", "0000001"))], "damaged", "device number")
        add("a size beyond the archive", [Raw.entry("f", size: "77777777777")], "damaged", "cut off")
        add("a size in base 256 beyond all numbers", [resized([0x80] + [UInt8](repeating: 0xff, count: 11))], "damaged", "size")
        add("a negative size", [resized([UInt8](repeating: 0xff, count: 12))], "damaged", "negative")
        add("a negative size in an extended header", [Raw.pax([("size", "-1")]) + Raw.entry("f")], "damaged", "no number")
        add("a size that is no number", [Raw.entry("f", size: "12x00000000")], "damaged", "size")
        add("an owner that is no number", [Raw.entry("f", uid: "99999999")], "damaged", "owner")
        add("an owner beyond 32 bits", [Raw.pax([("uid", "4294967295")]) + Raw.entry("f")], "damaged", "uid")
        add("a wrong checksum", [Raw.entry("f", sum: "12345")], "damaged", "checksum")
        add("text that is no archive", [Array(String(repeating: "not an archive. ", count: 64).utf8)], "damaged", "checksum")
        add(
            "cut off within a file", [Array(Raw.entry("f", data: [UInt8](repeating: 1, count: 2000)).dropLast(600))], "damaged", "cut off", isCut: true)
        add("cut off between files", [Raw.entry("f")], "damaged", "cut off", isCut: true)
        add("cut off within a header", [Raw.entry("f") + [UInt8](repeating: 1, count: 100)], "damaged", "cut off", isCut: true)
        add("a name with a NUL", [Raw.pax([("path", "a\u{0}b")]) + Raw.entry("f")], "damaged", "NUL")
        add("a link with a NUL in its target", [Raw.pax([("linkpath", "a\u{0}b")]) + Raw.entry("f", "2")], "damaged", "NUL")
        add("a name that is empty", [Raw.entry("")], "damaged", "empty")
        add("a link without a target", [Raw.entry("f", "2")], "damaged", "empty")
        add("a name of 256 bytes", [Raw.pax([("path", String(repeating: "n", count: 256))]) + Raw.entry("f")], "hostile", "256 bytes")
        add("a path of 5,000 bytes", [Raw.pax([("path", String(repeating: "n/", count: 2500))]) + Raw.entry("f")], "damaged", "5000 bytes")
        add("a path 600 folders deep", [Raw.pax([("path", String(repeating: "n/", count: 600) + "f")]) + Raw.entry("f")], "hostile", "folders deep")
        add(
            "folders that grow deep through links",
            [
                (0..<30).reduce(into: Raw.pax([("path", deep)]) + Raw.entry("f", "5")) { bytes, index in
                    bytes += Raw.pax([("linkpath", index == 0 ? deep : "l\(index - 1)/" + deep)]) + Raw.entry("l\(index)", "2")
                    bytes += Raw.pax([("path", "l\(index)/" + deep)]) + Raw.entry("f", "5")
                }
            ], "hostile", "deep")
        add("an extended header of 2 MiB", [Raw.paxBytes([("comment", [UInt8](repeating: 65, count: 2 << 20))]) + Raw.entry("f")], "tooLarge", "headers")
        add(
            "extended headers without end", [(0..<2000).flatMap { Raw.paxBytes([("comment", [UInt8](repeating: 65, count: $0))]) } + Raw.entry("f")],
            "tooLarge",
            "headers")
        add(
            "100,000 records in an extended header", [Raw.pax((0..<100_000).map { ("a\($0 % 10)", "") }) + Raw.entry("f")], "damaged", "20,000 records")
        add(
            "a record that is longer than its header", [Raw.entry("x", "x", data: Array("999 path=a\n".utf8)) + Raw.entry("f")], "damaged", "length")
        add("a record of no length", [Raw.entry("x", "x", data: Array("0 path=a\n".utf8)) + Raw.entry("f")], "damaged", "length")
        add("an extended header without an entry", [Raw.pax([("path", "a")])], "damaged", "no entry")
        add(
            "a global header that names all files", [Raw.entry("g", "g", data: Array("10 path=a\n".utf8)) + Raw.entry("f")], "damaged", "for all files")
        add(
            "an attribute of 70,000 bytes", [Raw.paxBytes([("SCHILY.xattr.user.a", [UInt8](repeating: 65, count: 70_000))]) + Raw.entry("f")], "damaged",
            "70000 bytes")
        add("an attribute of a namespace that Linux has not", [Raw.pax([("SCHILY.xattr.evil.a", "b")]) + Raw.entry("f")], "damaged", "name")
        add(
            "attributes that fill memory",
            [(0..<64).flatMap { Raw.paxBytes([("SCHILY.xattr.user.a", [UInt8](repeating: 65, count: 60_000))]) + Raw.entry("f\($0)") }], "tooLarge",
            "attributes",
            { $0.metadataBytes = 1 << 20 })
        add("more entries than any file system needs", [(0..<100).flatMap { Raw.entry("f\($0)") }], "tooLarge", "entries", { $0.entries = 50 })
        add("a map of holes that overlaps", [sparse("0,6,5,4")], "damaged", "overlap")
        add("a map of holes that is out of order", [sparse("50,6,0,4")], "damaged", "order")
        add("a map of holes that goes past the end", [sparse("0,5,97,5")], "damaged", "past its end")
        add("a map of holes for bytes that are not there", [sparse("0,20")], "damaged", "stored bytes")
        add("a map of holes with an odd count", [sparse("0,5,7")], "damaged", "not as long")
        add("a map of holes with letters", [sparse("0,ten")], "damaged", "no number")
        add("a hole of 100 TiB", [sparse("0,10", size: "109951162777600")], "damaged", "any file system")
        add(
            "a map of holes without an end",
            [
                Raw.pax([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "h"), ("GNU.sparse.realsize", "9")])
                    + Raw.entry("x", data: Array("1\n0\n9".utf8))
            ],
            "damaged", "map of holes")
        add("a part of an archive of several volumes", [Raw.entry("f", "M")], "damaged", "volume")
        add("a type that nobody knows", [Raw.entry("f", "Q")], "damaged", "type")
        add("a whiteout of no name", [Raw.entry("a"), Raw.entry(".wh.")], "hostile", "no name")
        add("a whiteout of the folder itself", [Raw.entry("a/b"), Raw.entry("a/.wh..")], "hostile", "no name")
        add("a whiteout of the folder above", [Raw.entry("a/b"), Raw.entry("a/.wh...")], "hostile", "no name")
        add("a whiteout with a way out", [Raw.entry("a/b"), Raw.entry("a/.wh.x/../../b")], "hostile", "`..`")
        return all
    }()

    private static let deep = String(repeating: "d/", count: 40) + "e"

    private static func resized(_ field: [UInt8]) -> [UInt8] {
        var bytes = Raw.entry("f")
        bytes.replaceSubrange(124..<136, with: field)
        bytes.replaceSubrange(148..<156, with: [UInt8](repeating: 32, count: 8))
        let sum = Array(String(TarHeader.sum(bytes), radix: 8).utf8)
        bytes.replaceSubrange(148..<(148 + sum.count), with: sum)
        return bytes
    }
}

@Suite("Hostile tar archives")
struct HostileTarTests {
    @Test("an archive that no honest program makes is refused, with what and where and how to mend it", arguments: HostileArchive.refused)
    func refused(archive: HostileArchive) throws {
        let stack = LayerStack(limits: archive.limits)
        let allowance = ArchiveAllowance(archive.limits)
        do {
            for layer in archive.layers {
                let bytes = layer + (archive.isCut ? [] : RawTar.end)
                try stack.apply(TarReader(span(bytes), archive: "evil.tar", allowance: allowance), archive: "evil.tar", whiteouts: true)
            }
            #expect(archive.code == "ok", "it was taken")
        } catch let error as ArchiveError {
            #expect(error.code == archive.code, "\(error)")
            #expect("\(error)".contains(archive.words), "\(error)")
            #expect(error.message.contains("evil.tar"), "\(error)")
            #expect(error.fix != nil, "\(error)")
        }
    }

    @Test("what looks dangerous and is not stays in the tree, and is told: absolute paths, links to the host, devices, set-id programs")
    func harmless() throws {
        let made = try tree(
            joined(
                RawTar.entry("/etc/passwd", data: [1]),
                RawTar.entry("link", "2", link: "/etc/shadow"),
                RawTar.entry("up", "2", link: "../../.."),
                RawTar.entry("sda", "4", device: ("0000010", "0000000")),
                RawTar.entry("su", mode: "0004755"),
                RawTar.end))
        #expect(try made.node(at: "etc/passwd")?.content?.bytes() == [1])
        let findings = TreeFindings(made)
        #expect((findings.devices, findings.setID) == (1, 1))
        #expect(findings.notes.count == 2)
    }

    @Test("a bomb ends at its limits, and what it wrote is gone", arguments: ["gzip", "zstd", "xz"])
    func bombs(program: String) throws {
        try withFolder { folder in
            try shell("head -c 300M /dev/zero | \(program) -c > bomb; mkdir room", in: folder)
            let files = UnnamedFiles(folder: folder + "/room")
            var error = #expect(throws: ArchiveError.self) { _ = try ArchiveReader(folder + "/bomb", files: files).read() }
            #expect(error?.code == "tooLarge")
            #expect(error?.message.contains("times as large") == true)
            var limits = ArchiveLimits()
            limits.bytes = 10 << 20
            error = #expect(throws: ArchiveError.self) { _ = try ArchiveReader(folder + "/bomb", limits: limits, files: files).read() }
            #expect(error?.code == "tooLarge")
            #expect(error?.fix?.contains("--max-size") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/room").isEmpty)
        }
    }
}
