import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@testable import ChunkStore

@Suite("Damaged packs") struct FuzzTests {
    @Test("whatever a pack's end says, it is refused or read, and never ends the process")
    func packs() throws {
        let frames = (1...5).map { count in
            PackFormat.Frame(compressed: 40, plain: UInt32(count) * 65536, chunks: (0..<count).map { Digest.of([UInt8(count), UInt8($0)]) })
        }
        let whole = [1, 3, 5].map { [UInt8](repeating: 7, count: $0 * 40) + PackFormat.tail(Array(frames[..<$0])) }
        let file = try Descriptor.memory(named: "fuzz")
        #expect(try read(whole[2], file)?.count == 5)
        Fuzzer.run("packs", whole) { _ = try read($0, file) }
    }

    private func read(_ bytes: [UInt8], _ file: Descriptor) throws -> [(offset: Int64, frame: PackFormat.Frame)]? {
        ftruncate(file.raw, bytes.count)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        return try PackFormat.read(file, bytes: Int64(bytes.count))
    }

    @Test("whatever a frame says, it is refused or decompressed")
    func frames() throws {
        let plain = [UInt8](repeating: 3, count: 9000) + (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = [try Zstandard.compress(plain, level: 3), try Zstandard.compress(Array(plain[..<100]), level: 1)]
        var output = [UInt8](repeating: 0, count: plain.count)
        Fuzzer.run("zstd frames", whole) { input in
            _ = try? Zstandard.decompress(input, limit: 1 << 20)
            try input.withUnsafeBytes { input in try output.withUnsafeMutableBytes { try Zstandard.decompress(input, into: $0) } }
        }
    }
}
