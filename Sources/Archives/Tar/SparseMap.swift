/// Where the stored bytes of a file with holes belong.
///
/// Source: GNU tar's manual, "Storing Sparse Files": the old format, and PAX versions 0.0, 0.1 and 1.0.
struct SparseMap {
    /// How many pieces a file may have; each takes memory.
    static let maximumPieces = 1 << 20
    static let extendedPieces = 21

    private(set) var pieces: [TarContent.Piece] = []
    private var stored: Int64 = 0

    /// - Throws: ``TarHeader/Fault`` for one that is out of order, overlaps another or ends where no file can.
    mutating func append(_ offset: Int64, _ size: Int64) throws {
        guard offset >= 0, size >= 0, offset < 1 << 60, size < 1 << 60 else { throw TarHeader.Fault(text: "its map of holes has a negative or absurd number") }
        guard offset >= pieces.last?.end ?? 0 else { throw TarHeader.Fault(text: "its map of holes is out of order, or parts of it overlap") }
        guard pieces.count < Self.maximumPieces else { throw TarHeader.Fault(text: "its map of holes has more than \(Self.maximumPieces) parts") }
        if size == 0 { return }
        if let last = pieces.last, last.end == offset {
            pieces[pieces.count - 1].size += size
        } else {
            pieces.append(TarContent.Piece(offset: offset, size: size, stored: stored))
        }
        stored += size
    }

    /// What the file holds.
    ///
    /// - Parameter data: exactly what the map says, as stored.
    func content(size: Int64, data: FileSpan) throws -> TarContent {
        guard stored == data.size else {
            throw TarHeader.Fault(text: "its map of holes tells of \(stored) stored bytes, and there are \(data.size)")
        }
        guard size >= pieces.last?.end ?? 0 else { throw TarHeader.Fault(text: "its map of holes goes past its end") }
        return TarContent(size: size, pieces: pieces, data: data)
    }

    /// Adds `count` pieces of 24 bytes from a header of the old format; a field that begins with NUL ends them.
    mutating func append(block: [UInt8], at start: Int, count: Int) throws {
        for index in 0..<count {
            let place = start + index * 24
            if block[place] == 0 { return }
            guard let offset = TarNumber.parse(block[place..<(place + 12)]), let size = TarNumber.parse(block[(place + 12)..<(place + 24)]) else {
                throw TarHeader.Fault(text: "its map of holes holds something that is no number")
            }
            try append(offset, size)
        }
    }

    /// PAX 0.0: a record each for offset and size, in turn. 0.1: all of them in one.
    init(records: PaxRecords) throws {
        self.init()
        var numbers: [Int64] = []
        func add(_ text: ArraySlice<UInt8>) throws {
            guard let number = PaxRecords.decimal(text) else { throw TarHeader.Fault(text: "its map of holes holds something that is no number") }
            numbers.append(number)
        }
        if let map = records["GNU.sparse.map"] {
            for text in map.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) where !map.isEmpty { try add(text) }
        } else {
            for record in records.records {
                let wanted = numbers.count % 2 == 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes"
                guard record.key == "GNU.sparse.offset" || record.key == "GNU.sparse.numbytes" else { continue }
                guard record.key == wanted else { throw TarHeader.Fault(text: "its map of holes is out of order") }
                try add(record.value[...])
            }
        }
        guard numbers.count % 2 == 0, try records.number("GNU.sparse.numblocks").map({ $0 == Int64(numbers.count / 2) }) ?? true else {
            throw TarHeader.Fault(text: "its map of holes is not as long as it says")
        }
        for index in stride(from: 0, to: numbers.count, by: 2) { try append(numbers[index], numbers[index + 1]) }
    }

    init() {}

    /// PAX 1.0: decimal lines in front of the data, filled up to a block.
    ///
    /// - Returns: the map, and how many bytes it takes.
    static func read(from data: FileSpan) throws -> (map: SparseMap, bytes: Int64) {
        var (window, start): ([UInt8], Int64) = ([], 0)
        var place: Int64 = 0
        func number() throws -> Int64 {
            var digits: [UInt8] = []
            while true {
                if place - start >= Int64(window.count) { (window, start) = (try data.bytes(at: place, 64 << 10), place) }
                guard place - start < Int64(window.count) else { throw TarHeader.Fault(text: "its map of holes goes past its end") }
                let byte = window[Int(place - start)]
                place += 1
                if byte == 10 { break }
                digits.append(byte)
                guard digits.count <= 18 else { throw TarHeader.Fault(text: "its map of holes holds something that is no number") }
            }
            guard let value = PaxRecords.decimal(digits[...]) else { throw TarHeader.Fault(text: "its map of holes holds something that is no number") }
            return value
        }
        var map = SparseMap()
        let count = try number()
        guard count <= Int64(maximumPieces) else { throw TarHeader.Fault(text: "its map of holes has more than \(maximumPieces) parts") }
        for _ in 0..<count { try map.append(number(), number()) }
        let bytes = (place + 511) / 512 * 512
        guard bytes <= data.size else { throw TarHeader.Fault(text: "its map of holes goes past its end") }
        return (map, bytes)
    }
}
