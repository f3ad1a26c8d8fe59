import Trees

extension FileSpan {
    /// Where there may be something else than zeroes, as the file system tells it.
    public func dataRanges() throws -> [Range<Int64>] { try HostFileContent("a disk", file, start: start, size: size).dataRanges() }
}
