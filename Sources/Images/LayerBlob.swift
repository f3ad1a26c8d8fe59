import ChunkStore

/// A layer: which chunks of the disk it changes, and to what.
///
/// Plain bytes, little-endian: `TRRNLAYR`, version (u32), bytes of a chunk (u32), bytes of the disk (u64), number of runs (u64); then the runs, ascending:
/// first chunk (u64), how many (u32), kind (u32: 0 zeroes, 1 data); then 32 bytes of digest for each chunk of the data runs, in their order. The layer's
/// digest is taken over these bytes; the blob in the store is one zstd frame of them.
struct LayerBlob: Equatable {
    static let magic = Array("TRRNLAYR".utf8)
    static let version: UInt32 = 1
    /// 1 PiB, as for any disk.
    private static let largestDisk: Int64 = 1 << 50
    private static let mostZeroes: UInt64 = 1 << 26

    var diskBytes: Int64
    /// Ascending; nil: zeroes.
    var chunks: [(index: UInt64, digest: Digest?)]

    static func == (a: LayerBlob, b: LayerBlob) -> Bool { a.diskBytes == b.diskBytes && a.chunks.elementsEqual(b.chunks) { $0 == $1 } }

    func encoded() -> [UInt8] {
        var runs: [(first: UInt64, count: UInt32, isData: Bool)] = []
        for chunk in chunks {
            let isData = chunk.digest != nil
            if let last = runs.last, last.isData == isData, last.first + UInt64(last.count) == chunk.index, last.count < .max {
                runs[runs.count - 1].count += 1
            } else {
                runs.append((chunk.index, 1, isData))
            }
        }
        var bytes = Self.magic
        bytes.reserveCapacity(32 + runs.count * 16 + chunks.count * 32)
        bytes.append32(Self.version)
        bytes.append32(UInt32(ChunkStore.chunkBytes))
        bytes.append64(UInt64(diskBytes))
        bytes.append64(UInt64(runs.count))
        for run in runs {
            bytes.append64(run.first)
            bytes.append32(run.count)
            bytes.append32(run.isData ? 1 : 0)
        }
        for chunk in chunks { if let digest = chunk.digest { bytes += digest.bytes } }
        return bytes
    }

    init(diskBytes: Int64, chunks: [(index: UInt64, digest: Digest?)]) { (self.diskBytes, self.chunks) = (diskBytes, chunks) }

    init(decoding bytes: [UInt8]) throws {
        func wrong(_ cause: String) -> ImageError {
            ImageError("corrupt", "a layer cannot be read", cause: cause, fix: "`terrine verify` tells which images need it")
        }
        guard bytes.count >= 32, bytes.starts(with: Self.magic) else { throw wrong("it does not begin with TRRNLAYR") }
        guard bytes.read32(8) == Self.version else { throw wrong("it has version \(bytes.read32(8))") }
        guard bytes.read32(12) == UInt32(ChunkStore.chunkBytes) else { throw wrong("its chunks have \(bytes.read32(12)) bytes") }
        diskBytes = Int64(bitPattern: bytes.read64(16))
        let runs = bytes.read64(24)
        guard (0...Self.largestDisk).contains(diskBytes), runs <= UInt64((bytes.count - 32) / 16) else { throw wrong("its header is out of range") }
        let limit = UInt64((diskBytes + Int64(ChunkStore.chunkBytes) - 1) / Int64(ChunkStore.chunkBytes))
        var at = 32 + Int(runs) * 16
        chunks = []
        var next: UInt64 = 0
        var zeroes: UInt64 = 0
        for run in 0..<Int(runs) {
            let (first, count, kind) = (bytes.read64(32 + run * 16), UInt64(bytes.read32(40 + run * 16)), bytes.read32(44 + run * 16))
            guard first >= next, count > 0, first < limit, count <= limit - first, kind <= 1 else { throw wrong("run \(run) is out of order or out of range") }
            guard kind == 0 || at + Int(count) * 32 <= bytes.count else { throw wrong("it ends within the digests") }
            if kind == 0 { zeroes += count }
            // A few bytes of a stranger's would take all memory.
            guard zeroes <= Self.mostZeroes else { throw wrong("it zeroes more than 4 TiB") }
            for index in first..<first + count {
                if kind == 0 {
                    chunks.append((index, nil))
                } else {
                    chunks.append((index, Digest(bytes: bytes[at..<at + 32])))
                    at += 32
                }
            }
            next = first + count
        }
        guard at == bytes.count else { throw wrong("\(bytes.count - at) bytes too many") }
    }
}

extension [UInt8] {
    mutating func append32(_ word: UInt32) { for shift in stride(from: UInt32(0), to: 32, by: 8) { append(UInt8(truncatingIfNeeded: word >> shift)) } }
    mutating func append64(_ word: UInt64) { for shift in stride(from: UInt64(0), to: 64, by: 8) { append(UInt8(truncatingIfNeeded: word >> shift)) } }
    func read32(_ offset: Int) -> UInt32 { withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) } }
    func read64(_ offset: Int) -> UInt64 { withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) } }
}
