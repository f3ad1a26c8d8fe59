import CLinux
import Glibc
import Linux

/// Checksums of a sealed overlay's data, in the file `checksums`; byte by byte in `Docs/formats/overlay.md`.
///
/// Apart from the seal, which takes no longer when more was written: whoever has time makes them.
extension SealedOverlay {
    private static let magic = Array("TRNSUMS1".utf8)
    private var checksumPath: String { folder + "/checksums" }

    /// Reads all of its data and writes the checksums, durably; nothing when they are there.
    public func writeChecksums() throws {
        if access(checksumPath, F_OK) == 0 { return }
        var entries: [UInt64] = []
        try forEachSum { entries += [$0, $1] }
        var bytes = Self.magic
        for value in [UInt64(entries.count / 2)] + entries { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        let sum = bytes.withUnsafeBytes { XXHash64.hash($0) }
        withUnsafeBytes(of: sum.littleEndian) { bytes += $0 }
        let temporary = "\(checksumPath).\(getpid())"
        let file = try Descriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.sync()
        try check("rename to", checksumPath) { rename(temporary, checksumPath) }
        try syncFolder(folder)
    }

    /// Reads all of its data again; returns the chunks that are not what they were, or nil when there are no checksums yet.
    public func verify() throws -> [UInt64]? {
        guard access(checksumPath, F_OK) == 0 else { return nil }
        let file = try Descriptor(checksumPath, O_RDONLY)
        let length = Int(try check("seek", checksumPath) { lseek(file.raw, 0, SEEK_END) })
        var bytes = [UInt8](repeating: 0, count: length)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        let saved: [UInt64: UInt64]? = bytes.withUnsafeBytes { bytes in
            func word(_ at: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
            guard count == length, length >= 24, bytes.starts(with: Self.magic), (length - 24) % 16 == 0, word(8) == UInt64((length - 24) / 16),
                word(length - 8) == XXHash64.hash(UnsafeRawBufferPointer(rebasing: bytes[..<(length - 8)]))
            else { return nil }
            var saved: [UInt64: UInt64] = [:]
            for at in stride(from: 16, to: length - 8, by: 16) { saved[word(at)] = word(at + 8) }
            return saved
        }
        guard var saved else {
            throw DiskError("corrupt", "\(checksumPath) is damaged", cause: "it does not have its own checksum", fix: "go back to the last checkpoint")
        }
        var damaged: [UInt64] = []
        try forEachSum { chunk, sum in if saved.removeValue(forKey: chunk) != sum { damaged.append(chunk) } }
        return (damaged + saved.keys).sorted()
    }

    /// Of each chunk that it touches: XXH64 over the chunk, with what is not in the data file as zeroes, seeded with its blocks' states.
    private func forEachSum(_ body: (_ chunk: UInt64, _ sum: UInt64) throws -> Void) throws {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: DiskUnit.chunk, alignment: DiskUnit.block)
        defer { memory.deallocate() }
        try forEachChangedChunk(in: [self]) { chunk in
            memory.clear()
            let first = Int(chunk) * DiskUnit.blocksPerChunk
            var block = first
            while block < first + DiskUnit.blocksPerChunk {
                let (state, end) = overlay.states.run(from: block, to: first + DiskUnit.blocksPerChunk)
                if state == .data {
                    let part = memory[(block - first) * DiskUnit.block..<(end - first) * DiskUnit.block]
                    try overlay.readData(UnsafeMutableRawBufferPointer(rebasing: part), at: Int64(block) << DiskUnit.blockShift)
                }
                block = end
            }
            let word = overlay.states.word(Int(chunk) / 2)
            let states = UInt64(UInt32(truncatingIfNeeded: chunk.isMultiple(of: 2) ? word : word >> 32))
            try body(chunk, XXHash64.hash(UnsafeRawBufferPointer(memory), seed: states))
        }
    }
}
