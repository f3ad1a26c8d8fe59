import Glibc
import Linux

/// Bytes of an archive at rest: a part of a file, read at any place by any number of threads.
public struct FileSpan: Sendable {
    let file: Descriptor
    let start: Int64
    /// Bytes.
    public let size: Int64

    /// All of an open file.
    public init(_ file: Descriptor) throws {
        self.init(file, 0, Int64(try check("seek", "an archive") { lseek(file.raw, 0, SEEK_END) }))
    }

    private init(_ file: Descriptor, _ start: Int64, _ size: Int64) { (self.file, self.start, self.size) = (file, start, size) }

    /// A part of it, which must lie inside.
    public func part(_ offset: Int64, _ count: Int64) -> FileSpan {
        precondition(offset >= 0 && count >= 0 && offset <= size && count <= size - offset)
        return FileSpan(file, start + offset, count)
    }

    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        let count = Int(max(0, min(Int64(buffer.count), size - offset)))
        if count == 0 { return 0 }
        return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: start + offset)
    }

    /// Up to `count` bytes at `offset`; fewer only at the end.
    public func bytes(at offset: Int64, _ count: Int) throws -> [UInt8] {
        let room = Int(max(0, min(Int64(count), size - offset)))
        return try [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            count = try read(into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<room]), at: offset)
        }
    }

    /// Calls `body` with all of it, piece by piece.
    public func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < size {
            let count = try read(into: buffer, at: offset)
            if count == 0 { throw ArchiveError("damaged", "a file became shorter while it was read", fix: "let nobody write to it meanwhile, and try again") }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
    }
}
