import Foundation
import Glibc
import Testing

@testable import Disks

/// `Docs/formats/overlay.md` is what others read; its dumps are of files that this code wrote, and it reads them.
@Suite("The overlay's format")
struct OverlayFormatTests {
    static let documentation = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Docs/formats/overlay.md")

    /// The bytes of a `hexdump -C` whose first line follows the line `$ hexdump -C NAME`.
    private static func dump(_ name: String) throws -> [UInt8] {
        let lines = try String(contentsOf: documentation, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == "$ hexdump -C \(name)" })
        var bytes: [UInt8] = []
        var repeated: [UInt8]?
        for line in lines[(start + 1)...] {
            if line.hasPrefix("$") || line.hasPrefix("```") { break }
            if line == "*" {
                repeated = Array(bytes.suffix(16))
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

    /// What the page says was done to make its example.
    static func makeExample(in folder: String) throws {
        let disk = try Disk(source: nil, overlay: try Overlay.create(in: folder + "/example", size: 20_000))
        try disk.write(Array("pressed".utf8), at: 16)
        try disk.flush()
        try disk.discard(at: 8192, length: 4096)
        try disk.write(Array("from layers".utf8), at: 16_400)
        try disk.flush()
        try RestingOverlay(disk.seal(next: try Overlay.create(in: folder + "/next", size: 20_000)).folder).writeChecksums()
    }

    @Test("the page's example is an overlay")
    func example() throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path + "/example"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in ["data", "state", "checksums"] { try Data(Self.dump(name)).write(to: URL(filePath: "\(folder)/\(name)")) }
        let sealed = try SealedOverlay.open(folder)
        #expect(sealed.isDurable && sealed.size == 20_000 && sealed.dirtyBytes == 8192)
        #expect((0..<5).map { sealed.overlay.states.state(of: $0) } == [.data, .absent, .zero, .absent, .data])
        #expect(try RestingOverlay(sealed.folder).verify() == [])
        let disk = try Disk(
            source: MemorySource([UInt8](repeating: 9, count: 20_000)), sealed: [sealed], overlay: try Overlay.create(in: scratch.path + "/top", size: 20_000))
        #expect(try disk.bytes(16..<23) == Array("pressed".utf8))
        #expect(try disk.bytes(16_400..<16_411) == Array("from layers".utf8))
        #expect(try disk.bytes(8190..<8194) == [9, 9, 0, 0])
    }

    @Test("what is made today is the page's example, but for the identity and what is summed over it")
    func sameAsMade() throws {
        let scratch = try ScratchFolder()
        try Self.makeExample(in: scratch.path)
        for name in ["data", "state", "checksums"] {
            var made = [UInt8](try Data(contentsOf: URL(filePath: "\(scratch.path)/example/\(name)")))
            var shown = try Self.dump(name)
            #expect(made.count == shown.count)
            if name == "state" {
                for range in [24..<40, 4088..<4096] {
                    made.replaceSubrange(range, with: repeatElement(0, count: range.count))
                    shown.replaceSubrange(range, with: repeatElement(0, count: range.count))
                }
            }
            #expect(made == shown, "\(name)")
        }
    }

    @Test("a state that changes while the data is synced waits for the next commit")
    func order() throws {
        let scratch = try ScratchFolder()
        let path = scratch.path + "/state"
        let file = try OverlayStateFile(creating: path, diskSize: 1 << 20)
        let states = try OverlayStates(diskSize: 1 << 20, identity: file.identity, live: nil)
        states.set(.data, from: 1, to: 3)
        let before = try Data(contentsOf: URL(filePath: path))
        try file.commit(states) {
            let now = try Data(contentsOf: URL(filePath: path))
            #expect(now == before)
            states.set(.data, from: 5, to: 6)
        }
        func durable() throws -> [BlockState] {
            let file = try OverlayStateFile(opening: path)
            let found = try OverlayStates(diskSize: 1 << 20, identity: file.identity, live: nil)
            try file.load(found.loadPage)
            return (0..<7).map { found.state(of: $0) }
        }
        #expect(try durable() == [.absent, .data, .data, .absent, .absent, .absent, .absent])
        // A commit that fails leaves it to the next.
        #expect(throws: DiskError.self) { try file.commit(states) { throw DiskError("test", "no") } }
        #expect(try durable()[5] == .absent)
        try file.commit(states) {}
        #expect(try durable()[5] == .data)
    }
}
