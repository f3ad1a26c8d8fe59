import Archives
import Foundation
import Glibc
import Linux
import Testing

@testable import Builder

@Suite("Programs that read what strangers made", .enabled(if: DiskTools.areThere))
struct ConfinedToolTests {
    private func run(_ script: String, _ file: Descriptor) throws -> CapturedOutput {
        try ConfinedTool.run("sh", ["-c", script], files: [3: file], purpose: "test")
    }

    @Test("they have no privileges, no network, and nothing but the file that they are given")
    func confined() throws {
        let folder = try TestFolder()
        try folder.write("given", "words")
        try folder.write("secret", "hidden")
        chmod(folder.path, 0o700)
        let file = try Descriptor(folder.path + "/given", O_RDWR)
        let status = try run("cat /proc/self/status /proc/net/dev", file).output
        func field(_ name: String) -> [String] {
            status.split(separator: "\n").first { $0.hasPrefix(name + ":") }?.split(whereSeparator: \.isWhitespace).dropFirst().map(String.init) ?? []
        }
        #expect(Set(field("Uid") + field("Gid")).isDisjoint(with: ["0"]) && field("Uid").count == 4)
        #expect(field("Groups").isEmpty)
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] { #expect(field(set) == ["0000000000000000"], "\(set)") }
        #expect(field("NoNewPrivs") == ["1"])
        #expect(!status.contains("eth") && status.contains("lo:"))
        #expect(try run("cat /proc/self/fd/3", file).output == "words")
        for path in ["\(folder.path)/secret", "/etc/shadow"] { #expect(try run("cat '\(path)'", file).status != .exited(0), "\(path)") }
        // No longer than it needs to be, and never without an end.
        #expect(try run("head -c 3000000 /dev/zero", file).status != .exited(0))
        #expect(try run("ulimit -v; ulimit -t; ulimit -c", file).output == "8388608\n1800\n0\n")
    }

    @Test("a table of partitions and the header of a qcow2 never trap, whatever is in them")
    func hostileTables() throws {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func random() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        let folder = try TestFolder()
        for round in 0..<2000 {
            var bytes = (0..<4096).map { _ in UInt8(truncatingIfNeeded: random() >> 24) }
            if round % 2 == 0 { bytes.replaceSubrange(510..<512, with: [0x55, 0xaa]) } else { bytes.replaceSubrange(512..<520, with: Array("EFI PART".utf8)) }
            // Small numbers lead further than large ones.
            if round % 3 == 0 { for place in 0..<4096 where place % 4 != 0 && !(510..<520).contains(place) { bytes[place] = 0 } }
            let path = folder.path + "/disk"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let disk = try FileSpan(Descriptor(path, O_RDONLY))
            for part in try PartitionTable(disk).partitions { #expect(part.lowerBound > 0 && part.upperBound <= disk.size) }
            // What it says of noise is tested with real images.
            _ = try? QcowHeader(Array(bytes.prefix(Int(random() % 200))), name: "noise")
        }
    }
}
