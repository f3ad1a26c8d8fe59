import CZstd
import Glibc

/// Chunks side by side in memory, and then the frames that they are compressed to. Used again: new memory costs as much as hashing does.
///
/// Unchecked: filled by one thread, worked on by one after the other.
final class ChunkBatch: @unchecked Sendable {
    struct Entry {
        var index: UInt64
        /// Where its bytes are; empty for zeroes.
        var bytes: Range<Int>
    }
    struct Frame {
        var chunks: [Digest]
        var plain: Int
        /// Where it is among the compressed bytes.
        var compressed: Range<Int>
    }
    static let capacity = 128
    /// The most that a chunk's part of a frame takes.
    private static let bound = ZSTD_compressBound(ChunkStore.chunkBytes)

    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity * ChunkStore.chunkBytes, alignment: 4096)
    private let compressed = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity * bound, alignment: 4096)
    private(set) var entries: [Entry] = []
    private(set) var frames: [Frame] = []
    private var used = 0

    init() { entries.reserveCapacity(Self.capacity) }

    deinit {
        memory.deallocate()
        compressed.deallocate()
    }

    var isFull: Bool { entries.count == Self.capacity }
    var isEmpty: Bool { entries.isEmpty }

    func clear() {
        entries.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        used = 0
    }

    func append(_ index: UInt64, _ bytes: UnsafeRawBufferPointer?) {
        let count = bytes?.count ?? 0
        precondition(count <= ChunkStore.chunkBytes && !isFull, "a chunk has at most 64 KiB")
        if let bytes { UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + count]).copyMemory(from: bytes) }
        entries.append(Entry(index: index, bytes: used..<used + count))
        used += count
    }

    private func part(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[range]) }

    func bytes(of frame: Frame) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: compressed[frame.compressed]) }

    /// The digest of each; nil for zeroes.
    func hashAll(threads: Int) -> [Digest?] {
        let results = Results<Digest?>(count: entries.count, nil)
        spread(entries.count, threads) { [self] index, _ in
            let bytes = part(entries[index].bytes)
            results[index] = isZero(bytes) ? nil : Digest.of(bytes)
        }
        return results.values
    }

    private func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first else { return true }
        // Compared with itself, one byte on.
        return first == 0 && (bytes.count == 1 || bytes.baseAddress.map { memcmp($0, $0 + 1, bytes.count - 1) == 0 } ?? true)
    }

    /// Makes a zstd frame of each of `parts`: chunks that lie side by side here, by their positions.
    func compress(_ parts: [Range<Int>], _ digests: [Digest?], level: Int32, contexts: [Zstandard.Context]) throws {
        let results = Results<Result<Frame, any Error>?>(count: parts.count, nil)
        spread(parts.count, contexts.count) { [self] index, thread in
            let positions = parts[index]
            let range = entries[positions.lowerBound].bytes.lowerBound..<entries[positions.upperBound - 1].bytes.upperBound
            let start = positions.lowerBound * Self.bound
            let slot = UnsafeMutableRawBufferPointer(rebasing: compressed[start..<start + positions.count * Self.bound])
            results[index] = Result {
                let count = try Zstandard.compress(part(range), into: slot, level: level, with: contexts[thread])
                return Frame(chunks: digests[positions].compactMap { $0 }, plain: range.count, compressed: start..<start + count)
            }
        }
        frames = try results.values.compactMap { try $0?.get() }
    }
}
