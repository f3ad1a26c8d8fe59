import Foundation
import Glibc
import Linux
import Testing

@testable import ChunkStore
@testable import Images

/// `Docs/formats/store.md` is what others read; its dumps are of files that this code wrote, and it reads them.
@Suite("The store's formats")
struct FormatTests {
    static let documentation = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Docs/formats/store.md")

    /// The bytes of a `hexdump -C` whose first line follows the line `$ COMMAND`.
    private static func dump(_ command: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var repeated: ArraySlice<UInt8>?
        for line in try text(command) {
            if line == "*" {
                repeated = bytes.suffix(16)
                continue
            }
            let fields = line.prefix { $0 != "|" }.split(separator: " ")
            let offset = try #require(Int(fields[0], radix: 16))
            while let row = repeated, bytes.count < offset { bytes += row }
            repeated = nil
            #expect(bytes.count == offset)
            bytes += try fields.dropFirst().map { try #require(UInt8($0, radix: 16)) }
        }
        return bytes
    }

    /// The lines after `$ COMMAND`, to the next command or the end of the block.
    private static func text(_ command: String) throws -> [Substring] {
        let lines = try String(contentsOf: documentation, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == "$ " + command }, "\(command)")
        return Array(lines[(start + 1)...].prefix { !$0.hasPrefix("$") && !$0.hasPrefix("```") })
    }

    /// What the page says was done to make its example.
    static func makeExample(_ store: ImageStore) throws -> Image {
        let draft = ImageDraft(
            parent: nil, virtualBytes: 262_160, environment: ["PATH": "/usr/bin:/bin"], machine: MachineDefaults(), step: "press", cacheKey: nil)
        let image = try store.write(draft) { writer in
            try [UInt8](repeating: UInt8(ascii: "T"), count: 65536).withUnsafeBytes { try writer.add(0, $0) }
            try writer.add(1, nil)
            try Array("pressed together".utf8).withUnsafeBytes { try writer.add(4, $0) }
        }
        try store.tag("example", image)
        return image
    }

    @Test("the page's example is a store's")
    func example() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let image = try Self.makeExample(store)

        // The layer: content only, so the same bytes everywhere.
        let plain = try Self.dump("zstd -dc blobs/sha256/LAYER | hexdump -C")
        let layer = try LayerBlob(decoding: plain)
        let first = Digest.of([UInt8](repeating: UInt8(ascii: "T"), count: 65536))
        let last = Digest.of(Array("pressed together".utf8))
        #expect(layer == LayerBlob(diskBytes: 262_160, chunks: [(0, first), (1, nil), (4, last)]))
        #expect(layer.encoded() == plain && Digest.of(plain) == image.layers[0])

        // The pack.
        let pack = try Self.dump("hexdump -C blobs/sha256/PACK")
        let path = home.path + "/pack"
        try pack.write(to: path)
        let frames = try #require(try PackFormat.read(Descriptor(path, O_RDONLY), bytes: Int64(pack.count)))
        #expect(frames.map(\.frame.chunks) == [[first], [last]] && frames.map(\.frame.plain) == [65536, 16])
        let frame = Array(pack[Int(frames[1].offset)..<Int(frames[1].offset) + Int(frames[1].frame.compressed)])
        #expect(try Zstandard.decompress(frame, limit: 100) == Array("pressed together".utf8))
        #expect(try Command("zstd", ["-t", path]).capture().status == .exited(0))

        // Config and index.
        let config = Array(try Self.text("cat blobs/sha256/CONFIG").joined(separator: "\n").utf8)
        #expect(Digest.of(config) == image.digest)
        #expect(try JSONDecoder().decode(ImageConfig.self, from: Data(config)).image(image.digest) == image)
        let index = try JSONDecoder().decode(OCIIndex.self, from: Data(Self.text("cat index.json").joined().utf8))
        #expect(index.manifests.first?.annotations?[OCIIndex.imageKey] == image.digest.description)
        let manifest = try JSONDecoder().decode(OCIManifest.self, from: Data(Self.text("cat blobs/sha256/MANIFEST").joined().utf8))
        #expect(manifest.config.digest == image.digest && manifest.layers.count == 1)

        // The map and its leaf: their numbers, identity and boot are of the store that they were made in.
        let map = try Self.dump("hexdump -C maps/IMAGE")
        #expect(map[..<8] == ArraySlice("TRRNMAP3".utf8) && map.count == 32 + 4 && map[16] == 5)
        let leaves = try Self.dump("hexdump -C maps/leaves")
        #expect(leaves[..<8] == ArraySlice("TRRNLEAF".utf8) && leaves[16..<24] == map[8..<16] && leaves.count == 2 * 4096 && map.word(32) == 1)
        let numbers = (0..<1024).map { leaves.word(4096 + $0 * 4) }
        #expect(numbers[0] != 0 && numbers[4] == numbers[0] + 1)
        #expect(numbers.enumerated().allSatisfy { [0, 4].contains($0.offset) || $0.element == MapLeaves.zeroes })
    }
}
