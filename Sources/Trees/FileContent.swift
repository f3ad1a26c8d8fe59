import Glibc
import Linux

/// What a regular file holds. It is read when somebody wants it, never kept.
///
/// Any number of threads call it at once. What it says never changes while it lives, and it keeps alive what it reads from.
public protocol FileContent: Sendable {
    /// Bytes.
    var size: Int64 { get }

    /// Fills all of `buffer` with the bytes from `offset` on. Never asked for bytes past ``size``.
    ///
    /// - Throws: an error that says where the bytes should have come from. Fewer bytes than asked for are an error, never zeroes.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws

    /// The parts that are stored: ascending, not empty, none touching the next, all within ``size``. What lies between them is a hole, and reads as zeroes.
    func dataRanges() throws -> [Range<Int64>]

    /// Where its first byte lies, on whatever it lies on, if that is known: who reads many files reads them in this order.
    var position: Int64? { get }

    /// Whether these bytes are known to be those of `other` without reading either; `false` when not sure.
    ///
    /// - Throws: trouble with finding out where they lie.
    func isKnownEqual(to other: any FileContent, _ range: Range<Int64>) throws -> Bool
}

extension FileContent {
    public var position: Int64? { nil }
    public func isKnownEqual(to other: any FileContent, _ range: Range<Int64>) throws -> Bool { false }
    func isKnownEqual(to other: any FileContent) throws -> Bool { try size == other.size && isKnownEqual(to: other, 0..<size) }

    /// All of it, for a file that is known to be small.
    ///
    /// - Throws: ``TreeError`` `tooLarge` beyond `limit` bytes.
    public func bytes(limit: Int = 1 << 20) throws -> [UInt8] {
        guard size <= Int64(limit) else { throw TreeError("tooLarge", "a file of \(size) bytes is larger than the \(limit) bytes that it may have here") }
        var result = [UInt8](repeating: 0, count: Int(size))
        try result.withUnsafeMutableBytes { if !$0.isEmpty { try read(into: $0, at: 0) } }
        return result
    }
}

/// Bytes in memory, for what is small.
public struct BytesContent: FileContent {
    public let value: [UInt8]

    public init(_ value: [UInt8] = []) { self.value = value }

    public var size: Int64 { Int64(value.count) }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) {
        value.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + buffer.count])) }
    }

    public func dataRanges() -> [Range<Int64>] { value.isEmpty ? [] : [0..<size] }
}

/// Bytes of a file of this host, from `start` on: all of a file, or one that lies within an archive.
public struct HostFileContent: FileContent {
    private let file: Descriptor
    private let start: Int64
    private let path: String
    public let size: Int64

    /// - Parameters:
    ///   - path: for what is said when it cannot be read.
    ///   - file: seekable; its holes count as holes.
    public init(_ path: String, _ file: Descriptor, start: Int64 = 0, size: Int64) {
        (self.path, self.file, self.start, self.size) = (path, file, start, size)
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        guard try file.read(into: buffer, at: start + offset) == buffer.count else {
            throw TreeError("corrupt", "\(path) ends within a file that it holds", cause: "\(size) bytes should begin at \(start)", fix: "fetch it again")
        }
    }

    public var position: Int64? { start }

    public func dataRanges() throws -> [Range<Int64>] {
        // lseek(2); hidden from Swift behind _GNU_SOURCE.
        let (seekData, seekHole): (Int32, Int32) = (3, 4)
        func next(_ offset: Int64, _ what: Int32) throws -> Int64? {
            let found = lseek(file.raw, Int(offset), what)
            if found >= 0 { return Int64(found) }
            if errno == ENXIO { return nil }
            // A block device, which has none.
            if errno == EINVAL { return what == seekData ? offset : nil }
            throw LinuxError("seek", path)
        }
        var ranges: [Range<Int64>] = []
        var position = start
        while position < start + size, let data = try next(position, seekData), data < start + size {
            let end = min(start + size, try next(data, seekHole) ?? start + size)
            if end <= data { break }
            ranges.append(data - start..<end - start)
            position = end
        }
        return ranges
    }
}
