import CLinux
import Glibc
import Linux

/// An overlay that nobody writes, sealed or at rest: its checksums, in the file `checksums`; byte by byte in `Docs/formats/overlay.md`.
///
/// Apart from the seal, which takes no longer when more was written: whoever has time makes them. Whoever opens it for writing drops them.
public struct RestingOverlay {
    private let overlay: Overlay

    /// Opens the overlay in `folder`, without sealing it; nobody can open it for writing while this lives.
    public init(_ folder: String) throws { overlay = try Overlay.openAny(folder, liveState: nil, sealing: true).0 }

    /// Reads all of its data and writes the checksums, durably; nothing when they are there.
    public func writeChecksums() throws { try overlay.writeChecksums() }

    /// Reads all of its data again; returns the chunks that are not what they were, or nil when there are no checksums.
    public func verify() throws -> [UInt64]? { try overlay.verifyChecksums() }

    /// Takes over from a whole copy of the same overlay what is damaged here.
    ///
    /// - Returns: whether `other` is such a copy, and all is well now.
    public func repair(_ damaged: [UInt64], from other: RestingOverlay) throws -> Bool {
        guard other.overlay.stateFile.identity == overlay.stateFile.identity, try other.verify() == [] else { return false }
        try overlay.copyData(of: damaged, from: other.overlay)
        return try verify() == []
    }
}

extension Overlay {
    private static let magic = Array("TRNSUMS1".utf8)
    private static func checksumPath(_ folder: String) -> String { folder + "/checksums" }
    private var checksumPath: String { Self.checksumPath(folder) }

    /// Before it is written to: they would lie.
    static func dropChecksums(_ folder: String) throws {
        if removeName(checksumPath(folder)) != 0, errno != ENOENT { throw LinuxError("remove", checksumPath(folder)) }
    }

    func writeChecksums() throws {
        if access(checksumPath, F_OK) == 0 { return }
        var entries: [UInt64] = []
        try forEachSum { entries += [$0, $1] }
        var bytes = Self.magic
        for value in [UInt64(entries.count / 2)] + entries { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        let sum = bytes.withUnsafeBytes { XXHash64.hash($0) }
        withUnsafeBytes(of: sum.littleEndian) { bytes += $0 }
        try replaceFile(checksumPath, with: bytes)
    }

    func verifyChecksums() throws -> [UInt64]? {
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

    /// Of each chunk of which the data file has a block: XXH64 over the chunk, with what is not there as zeroes, seeded with its blocks' states.
    ///
    /// The states of others have checksums in their own file; after a trim these are most of the disk.
    private func forEachSum(_ body: (_ chunk: UInt64, _ sum: UInt64) throws -> Void) throws {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: DiskUnit.chunk, alignment: DiskUnit.block)
        defer { memory.deallocate() }
        try forEachChangedChunk(in: [states]) { chunk in
            var hasData = false
            try forEachDataRun(of: chunk) { run, inside in
                if !hasData { memory.clear() }
                hasData = true
                try readData(UnsafeMutableRawBufferPointer(rebasing: memory[inside]), at: run.lowerBound)
            }
            if !hasData { return }
            let word = states.word(Int(chunk) / 2)
            let states = UInt64(UInt32(truncatingIfNeeded: chunk.isMultiple(of: 2) ? word : word >> 32))
            try body(chunk, XXHash64.hash(UnsafeRawBufferPointer(memory), seed: states))
        }
    }

    /// The runs of blocks of a chunk that are in the data file: their bytes there, and in the chunk.
    private func forEachDataRun(of chunk: UInt64, _ body: (_ run: Range<Int64>, _ inside: Range<Int>) throws -> Void) throws {
        let first = Int(chunk) * DiskUnit.blocksPerChunk
        var block = first
        while block < first + DiskUnit.blocksPerChunk {
            let (state, end) = states.run(from: block, to: first + DiskUnit.blocksPerChunk)
            if state == .data {
                try body(
                    Int64(block) << DiskUnit.blockShift..<Int64(end) << DiskUnit.blockShift, (block - first) * DiskUnit.block..<(end - first) * DiskUnit.block)
            }
            block = end
        }
    }

    /// Writes what `other` has in these chunks over the same blocks of this one, durably.
    fileprivate func copyData(of chunks: [UInt64], from other: Overlay) throws {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: DiskUnit.chunk, alignment: DiskUnit.block)
        defer { memory.deallocate() }
        for chunk in chunks where Int64(clamping: chunk) < (size + Int64(DiskUnit.chunk) - 1) >> DiskUnit.chunkShift {
            try forEachDataRun(of: chunk) { run, inside in
                let part = UnsafeMutableRawBufferPointer(rebasing: memory[inside])
                try other.readData(part, at: run.lowerBound)
                try repairData(UnsafeRawBufferPointer(part), at: run.lowerBound)
            }
        }
        try syncRepairs()
    }
}
