import Trees

/// What a file of an archive holds: pieces of the archive, and holes between them.
public struct TarContent: FileContent {
    /// Bytes that are somewhere else in the archive.
    struct Piece: Sendable, Equatable {
        /// Where it is in the file.
        var offset: Int64
        var size: Int64
        /// Where it is in the stored data.
        var stored: Int64

        var end: Int64 { offset + size }
    }

    /// Bytes, holes included.
    public let size: Int64
    /// Ascending, apart from each other, none empty.
    let pieces: [Piece]
    let data: FileSpan

    init(size: Int64, pieces: [Piece], data: FileSpan) { (self.size, self.pieces, self.data) = (size, pieces, data) }

    /// One without holes.
    init(_ data: FileSpan) { self.init(size: data.size, pieces: data.size > 0 ? [Piece(offset: 0, size: data.size, stored: 0)] : [], data: data) }

    public func dataRanges() -> [Range<Int64>] { pieces.map { $0.offset..<$0.end } }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        let end = offset + Int64(buffer.count)
        // The first piece that ends after the place that is asked for.
        var (low, high) = (0, pieces.count)
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].end > offset { high = middle } else { low = middle + 1 }
        }
        var place = offset
        func part(_ from: Int64, _ to: Int64) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(rebasing: buffer[Int(from - offset)..<Int(to - offset)])
        }
        for piece in pieces[low...] {
            if piece.offset >= end { break }
            let start = max(place, piece.offset)
            if start > place { part(place, start).initializeMemory(as: UInt8.self, repeating: 0) }
            place = min(end, piece.end)
            let target = part(start, place)
            guard try data.read(into: target, at: piece.stored + start - piece.offset) == target.count else {
                throw ArchiveError("damaged", "an archive became shorter while it was read", fix: "let nobody write to it meanwhile, and try again")
            }
        }
        if place < end { part(place, end).initializeMemory(as: UInt8.self, repeating: 0) }
    }
}

extension TarContent {
    /// Its bytes in the archive; nil for one with holes.
    var whole: FileSpan? { pieces.reduce(0) { $0 + $1.size } == size ? data : nil }
}
