import CLinux
import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@testable import Disks

/// An image in which every byte of a chunk is the same and none is zero.
private struct StripedSource: ChunkSource {
    func read(_ index: UInt64, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        memset(buffer.baseAddress!, Int32(1 + index % 250), buffer.count)
    }
}

/// The host dies: of what was written since the last flush, each block of each file is on the disk or is not.
@Suite("What a host's death leaves")
struct OverlayDurabilityTests {
    /// Four pages of state; what happens, happens around their borders.
    private static let size = 3 * OverlayStates.blocksPerPage * 4096 + 300_000
    private static let hot: [Int] = (0...3).flatMap { page in
        let border = page * OverlayStates.blocksPerPage
        return Array(max(0, border - 6)..<border + 6)
    }

    private struct Files {
        var blocks: [Int: [UInt8]] = [:]
        var state: [UInt8] = []

        init(_ folder: String) throws {
            let data = try Descriptor(folder + "/data", O_RDONLY)
            for block in hot {
                var bytes = [UInt8](repeating: 0, count: 4096)
                _ = try bytes.withUnsafeMutableBytes { try data.read(into: $0, at: Int64(block) * 4096) }
                blocks[block] = bytes
            }
            state = [UInt8](try Data(contentsOf: URL(filePath: folder + "/state")))
        }

        func write(to folder: String) throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let data = try Descriptor(folder + "/data", O_RDWR | O_CREAT)
            try check("grow") { ftruncate(data.raw, off_t(DiskUnit.roundUp(Int64(size)))) }
            for (block, bytes) in blocks where bytes.contains(where: { $0 != 0 }) { try bytes.withUnsafeBytes { try data.write($0, at: Int64(block) * 4096) } }
            try Data(state).write(to: URL(filePath: folder + "/state"))
        }
    }

    @Test("every flushed write is there, every other block is as it once was", arguments: [false, true])
    func hostDeath(inFlush: Bool) throws {
        let scratch = try ScratchFolder()
        var random = SplitMix(state: inFlush ? 5 : 6)
        let pool = randomBytes(1 << 16, seed: 7)
        var folder = scratch.path + "/0"
        try Overlay.create(in: folder, size: Int64(Self.size)).flush()
        var torn = 0
        for round in 1...60 {
            var disk: Disk? = try Disk(source: StripedSource(), overlay: try Overlay.open(folder))
            func now(_ block: Int) throws -> [UInt8] { try disk!.bytes(block * 4096..<(block + 1) * 4096) }
            var history: [Int: [[UInt8]]] = [:]
            for block in Self.hot { history[block] = [try now(block)] }
            var durable = try Files(folder)
            for _ in 0..<40 {
                let block = Self.hot.randomElement(using: &random)!
                switch Int.random(in: 0..<10, using: &random) {
                case 0:
                    try disk!.flush()
                    durable = try Files(folder)
                    for block in Self.hot { history[block] = [try now(block)] }
                case 1, 2: try disk!.discard(at: Int64(block) * 4096, length: 4096)
                case 3: try disk!.write(Array(pool[0..<100]), at: block * 4096 + Int.random(in: 0..<3000, using: &random))
                default:
                    let start = Int.random(in: 0..<60000, using: &random)
                    try disk!.write(Array(pool[start..<start + 4096]), at: block * 4096)
                }
                history[block]!.append(try now(block))
            }
            var left = durable
            if inFlush {
                // Data is durable before the first byte of state is written; of the state any slot may be old, new or torn.
                try disk!.flush()
                let after = try Files(folder)
                left.blocks = after.blocks
                for slot in stride(from: 8192, to: left.state.count, by: 4096) where left.state[slot..<slot + 4096] != after.state[slot..<slot + 4096] {
                    let cut = [0, 4096, Int.random(in: 1..<4096, using: &random)].randomElement(using: &random)!
                    torn += cut % 4096 == 0 ? 0 : 1
                    left.state.replaceSubrange(slot..<slot + cut, with: after.state[slot..<slot + cut])
                }
            } else {
                let after = try Files(folder)
                for block in Self.hot where Bool.random(using: &random) { left.blocks[block] = after.blocks[block] }
            }
            disk = nil
            folder = scratch.path + "/\(round)"
            try left.write(to: folder)
            let found = try Disk(source: StripedSource(), overlay: try Overlay.open(folder))
            for block in Self.hot {
                let bytes = try found.bytes(block * 4096..<(block + 1) * 4096)
                #expect(history[block]!.contains(bytes), "round \(round), block \(block)")
            }
        }
        if inFlush { #expect(torn > 20) }
    }

    @Test("a state whose slots are both damaged is an error that says so, and so is a seal that does not add up")
    func damage() throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path + "/a"
        func make() throws {
            let disk = try Disk(source: nil, overlay: try Overlay.create(in: folder, size: 1 << 20))
            for round in 0..<3 {
                try disk.write([1, 2, 3], at: round * 8192)
                try disk.flush()
            }
            try disk.seal(next: try Overlay.create(in: scratch.path + "/b", size: 1 << 20))
        }
        try make()
        func damage(_ offset: Int64) throws {
            let file = try Descriptor(folder + "/state", O_RDWR)
            var byte: [UInt8] = [0]
            _ = try byte.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            byte[0] ^= 0x10
            try byte.withUnsafeBytes { try file.write($0, at: offset) }
        }
        #expect(try SealedOverlay.open(folder).changedChunks() == [0])
        // The newest slot lost: the old one would be silently wrong, and the seal knows.
        try damage(8192 + 100)
        let wrong = #expect(throws: DiskError.self) { try SealedOverlay.open(folder) }
        #expect(wrong?.message.contains("not what was sealed") == true)
        try damage(8192 + 4096 + 100)
        let broken = #expect(throws: DiskError.self) { try SealedOverlay.open(folder) }
        #expect(broken?.message.contains("page 0") == true && broken?.fix != nil)
        try damage(20)
        #expect(throws: DiskError.self) { try SealedOverlay.open(folder) }
    }

    @Test("checksums find the chunk whose data was changed behind the overlay's back")
    func checksums() throws {
        let scratch = try ScratchFolder()
        let disk = try Disk(source: nil, overlay: try Overlay.create(in: scratch.path + "/a", size: 500_000))
        try disk.write(randomBytes(200_000, seed: 1), at: 150_000)
        try disk.discard(at: 0, length: 5000)
        let sealed = try disk.seal(next: try Overlay.create(in: scratch.path + "/b", size: 500_000))
        let resting = try RestingOverlay(sealed.folder)
        #expect(try resting.verify() == nil)
        try resting.writeChecksums()
        #expect(try resting.verify() == [])
        #expect(sealed.changedChunks() == [0, 2, 3, 4, 5])
        try FileManager.default.copyItem(atPath: sealed.folder, toPath: scratch.path + "/copy")
        let data = try Descriptor(scratch.path + "/a/data", O_RDWR)
        try [UInt8(77)].withUnsafeBytes { try data.write($0, at: 3 * 65536 + 9) }
        #expect(try resting.verify() == [3])
        // One that is as bad mends nothing; a copy does.
        #expect(try !resting.repair([3], from: resting))
        #expect(try resting.repair([3], from: RestingOverlay(scratch.path + "/copy")))
        #expect(try disk.bytes(150_000..<350_000) == randomBytes(200_000, seed: 1))
    }

    @Test("an overlay at rest has checksums until somebody opens it for writing")
    func checksumsAtRest() throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path + "/a"
        do {
            let disk = try Disk(source: nil, overlay: try Overlay.create(in: folder, size: 500_000))
            try disk.write(randomBytes(200_000, seed: 1), at: 150_000)
            try disk.flush()
            #expect(throws: DiskError.self) { try RestingOverlay(folder) }
        }
        try RestingOverlay(folder).writeChecksums()
        #expect(try RestingOverlay(folder).verify() == [])
        do {
            let disk = try Disk(source: nil, overlay: try Overlay.open(folder))
            try disk.write(randomBytes(10, seed: 2), at: 150_000)
            try disk.flush()
        }
        #expect(try RestingOverlay(folder).verify() == nil)
    }

    @Test("a sealed overlay whose supervisor died before the seal was durable is sealed when it is next opened")
    func interruptedSeal() throws {
        let scratch = try ScratchFolder()
        let live = try liveMemory()
        let bytes = randomBytes(70_000, seed: 3)
        func write() throws {
            let disk = try Disk(source: nil, overlay: try Overlay.create(in: scratch.path + "/a", size: 1 << 20, liveState: live))
            try disk.write(bytes, at: 12_345)
        }
        try write()
        func reopen(_ live: Descriptor?) throws -> [UInt8] {
            let sealed = try SealedOverlay.open(scratch.path + "/a", liveState: live)
            #expect(sealed.isDurable)
            return try Disk(source: nil, sealed: [sealed], overlay: try Overlay.create(in: "\(scratch.path)/\(UUID())", size: 1 << 20)).bytes(12_345..<82_345)
        }
        #expect(try reopen(live) == bytes)
        #expect(try reopen(nil) == bytes)
        #expect(throws: DiskError.self) { try Overlay.open(scratch.path + "/a") }
    }
}
