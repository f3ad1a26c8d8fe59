import ChunkStore
import Foundation
import Synchronization

/// What stands for a file's content in a ``TreeDigest``: SHA-256 over the pieces of 1 MiB that are not all zeroes, each told as its number (u64,
/// little-endian) and its own SHA-256. The last piece may be shorter.
///
/// So holes cost nothing, however large, and say the same as zeroes; and pieces of a large file are hashed side by side.
public enum ContentDigest {
    static let piece: Int64 = 1 << 20

    public static func of(_ contents: [any FileContent]) throws -> [Digest] { try scan(contents).map(\.digest) }

    /// Reads all of these in the order in which they lie on their disk, on all cores.
    ///
    /// - Throws: what reading throws, with the first file's in the order given.
    public static func scan(_ contents: [any FileContent]) throws -> [ContentScan] {
        let work = try pieces(of: contents)
        let found = Mutex<[Int: [Piece]]>([:])
        let failure = Mutex<(file: Int, error: any Error)?>(nil)
        let next = Atomic(0)
        // A few at a time: most are small files.
        let batch = 16
        DispatchQueue.concurrentPerform(iterations: max(1, ProcessInfo.processInfo.activeProcessorCount)) { _ in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(piece), alignment: 4096)
            defer { buffer.deallocate() }
            while true {
                let first = next.wrappingAdd(batch, ordering: .relaxed).oldValue
                if first >= work.count || failure.withLock({ $0 != nil }) { return }
                var done: [(Int, Piece)] = []
                for item in work[first..<min(work.count, first + batch)] {
                    do { if let piece = try look(contents[item.file], item.piece, buffer) { done.append((item.file, piece)) } } catch {
                        failure.withLock { if item.file < $0?.file ?? .max { $0 = (item.file, error) } }
                    }
                }
                found.withLock { found in for (file, piece) in done { found[file, default: []].append(piece) } }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure.error }
        let all = found.withLock { $0 }
        return contents.indices.map { join((all[$0] ?? []).sorted { $0.number < $1.number }, size: contents[$0].size) }
    }

    private struct Piece {
        var number: Int64
        var digest: Digest
        /// A bit for each span that is not zero.
        var spans: UInt16
    }

    private static func pieces(of contents: [any FileContent]) throws -> [(file: Int, piece: Int64, position: Int64)] {
        var work: [(file: Int, piece: Int64, position: Int64)] = []
        for (index, content) in contents.enumerated() {
            let start = content.position ?? 0
            var next: Int64 = 0
            for range in try content.dataRanges() {
                for number in max(next, range.lowerBound / piece)..<max(next, (range.upperBound + piece - 1) / piece) {
                    work.append((index, number, start &+ number * piece))
                    next = number + 1
                }
            }
        }
        return work.sorted { ($0.position, $0.file, $0.piece) < ($1.position, $1.file, $1.piece) }
    }

    /// Nil for a piece of zeroes.
    private static func look(_ content: any FileContent, _ number: Int64, _ buffer: UnsafeMutableRawBufferPointer) throws -> Piece? {
        let offset = number * piece
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(piece, content.size - offset))])
        try content.read(into: bytes, at: offset)
        var spans: UInt16 = 0
        for (bit, start) in stride(from: 0, to: bytes.count, by: Int(ContentScan.span)).enumerated() {
            if !isZero(UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + Int(ContentScan.span))])) { spans |= 1 << UInt16(bit) }
        }
        return spans == 0 ? nil : Piece(number: number, digest: Digest.of(UnsafeRawBufferPointer(bytes)), spans: spans)
    }

    private static func join(_ pieces: [Piece], size: Int64) -> ContentScan {
        var bytes: [UInt8] = []
        var data: [Range<Int64>] = []
        for piece in pieces {
            bytes.append(little: UInt64(piece.number))
            bytes += piece.digest.bytes
            for bit in 0..<Int64(16) where piece.spans & 1 << UInt16(bit) != 0 {
                let start = piece.number * Self.piece + bit * ContentScan.span
                let end = min(size, start + ContentScan.span)
                if let last = data.last, last.upperBound == start { data[data.count - 1] = last.lowerBound..<end } else { data.append(start..<end) }
            }
        }
        return ContentScan(digest: bytes.withUnsafeBytes { Digest.of($0) }, data: data)
    }
}

/// Whether all of it is zero.
func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
    return bytes[0] == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
}

extension [UInt8] {
    mutating func append(little number: some FixedWidthInteger) { Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) } }

    /// Writes a number over what is there.
    mutating func put(_ number: some FixedWidthInteger, at offset: Int) {
        Swift.withUnsafeBytes(of: number.littleEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
}
