import Trees

/// Reads the entries of a tar archive one after the other: ustar, PAX and GNU's formats, with files that have holes.
///
/// Strict: whatever it does not know for certain is an error. It never writes anything.
public struct TarReader {
    private let span: FileSpan
    /// For errors.
    private let archive: String
    private let allowance: ArchiveAllowance
    private var offset: Int64 = 0
    private var hasEnded = false
    /// From global headers.
    private var global = PaxRecords()

    /// - Parameters:
    ///   - span: not compressed.
    ///   - archive: what to call it in errors.
    public init(_ span: FileSpan, archive: String, allowance: ArchiveAllowance = ArchiveAllowance()) {
        (self.span, self.archive, self.allowance) = (span, archive, allowance)
    }

    /// Headers that belong to the next entry.
    struct Ahead {
        var records = PaxRecords()
        var longName: [UInt8]?
        var longLink: [UInt8]?
        var bytes = 0
        var isEmpty = true
    }

    /// The next entry; nil at the archive's end mark.
    public mutating func next() throws -> TarEntry? {
        if hasEnded { return nil }
        var ahead = Ahead()
        let first = offset
        while true {
            let block = try span.bytes(at: offset, TarHeader.blockBytes)
            guard block.count == TarHeader.blockBytes else { throw truncated("before its end mark") }
            if block.allSatisfy({ $0 == 0 }) {
                guard ahead.isEmpty else { throw damaged(first, "an extended header has no entry after it") }
                hasEnded = true
                return nil
            }
            let place = offset
            let header: TarHeader
            do { header = try TarHeader(block) } catch let fault as TarHeader.Fault { throw damaged(place, fault.text) }
            do {
                if let entry = try read(header, block, &ahead) {
                    try allowance.spend(entry: entry.metadataBytes, of: archive)
                    return entry
                }
            } catch let fault as TarHeader.Fault { throw damaged(place, fault.text, ByteString(header.name)) }
        }
    }

    /// Takes one header with what follows it.
    ///
    /// - Returns: nil for what is no entry by itself.
    private mutating func read(_ header: TarHeader, _ block: [UInt8], _ ahead: inout Ahead) throws -> TarEntry? {
        let place = offset
        switch header.type {
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            ahead.records.append(try PaxRecords(parsing: try extra(header, &ahead)))
            return nil
        case UInt8(ascii: "g"):
            let records = try PaxRecords(parsing: try extra(header, &ahead))
            for record in records.records where !["comment", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "charset"].contains(record.key) {
                throw TarHeader.Fault(text: "a global header sets `\(ByteString(record.key))` for all files")
            }
            global.append(records)
            ahead.isEmpty = true
            return nil
        case UInt8(ascii: "L"):
            ahead.longName = Array(try extra(header, &ahead).prefix { $0 != 0 })
            return nil
        case UInt8(ascii: "K"):
            ahead.longLink = Array(try extra(header, &ahead).prefix { $0 != 0 })
            return nil
        case UInt8(ascii: "V"):
            offset = try end(ofDataAt: place + 512, header.size)
            return nil
        default:
            let parser = TarEntryParser(header: header, block: block, ahead: ahead, global: global, limits: allowance.limits)
            var map: SparseMap?
            var start = place + 512
            if header.type == UInt8(ascii: "S") { map = try oldSparseMap(block, &start) }
            let size = try parser.storedSize()
            let after = try end(ofDataAt: start, size)
            let entry = try parser.entry(data: span.part(start, size), oldMap: map, offset: place)
            offset = after
            return entry
        }
    }

    /// The content of a header that belongs to the next one.
    private mutating func extra(_ header: TarHeader, _ ahead: inout Ahead) throws -> [UInt8] {
        let after = try end(ofDataAt: offset + 512, header.size)
        ahead.bytes += 512
        guard header.size <= Int64(allowance.limits.headerBytes), ahead.bytes + Int(header.size) <= allowance.limits.headerBytes else {
            throw ArchiveError(
                "tooLarge", "\(archive): the headers of the entry at byte \(offset) take more than \(allowance.limits.headerBytes) bytes",
                fix: "no file has as many attributes: look at where the archive comes from")
        }
        ahead.bytes += Int(header.size)
        ahead.isEmpty = false
        let bytes = try span.bytes(at: offset + 512, Int(header.size))
        offset = after
        return bytes
    }

    /// The rest of GNU's old map of holes, which may go on in blocks of its own.
    private func oldSparseMap(_ block: [UInt8], _ start: inout Int64) throws -> SparseMap {
        var map = SparseMap()
        try map.append(block: block, at: 386, count: 4)
        var goesOn = block[482] != 0
        while goesOn {
            let more = try span.bytes(at: start, 512)
            guard more.count == 512 else { throw truncated("within a map of holes") }
            try map.append(block: more, at: 0, count: SparseMap.extendedPieces)
            goesOn = more[504] != 0
            start += 512
        }
        return map
    }

    /// Where the next header is.
    private func end(ofDataAt start: Int64, _ size: Int64) throws -> Int64 {
        guard size >= 0 else { throw TarHeader.Fault(text: "its size is negative") }
        guard start <= span.size, size <= span.size - start else { throw truncated("within an entry that should have \(size) bytes, at byte \(offset)") }
        return start + (size + 511) / 512 * 512
    }

    private func truncated(_ place: String) -> ArchiveError {
        ArchiveError("damaged", "\(archive) ends \(place): it is cut off", fix: "fetch or make it again")
    }

    private func damaged(_ place: Int64, _ cause: String, _ name: ByteString? = nil) -> ArchiveError {
        ArchiveError(
            "damaged", "\(archive): the entry\(name.map { " `\($0)`" } ?? "") at byte \(place) cannot be read", cause: cause,
            fix: "fetch or make the archive again")
    }
}
