/// How a stream is compressed, told by its first bytes.
public enum Compression: Sendable {
    case none, gzip, zstd, xz

    /// - Parameter archive: for errors.
    static func of(_ span: FileSpan, archive: String) throws -> Compression {
        let first = try span.bytes(at: 0, 6)
        if first.starts(with: [0x1f, 0x8b]) { return .gzip }
        if first.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
        // A skippable frame, with which seekable and chunked streams may begin.
        if first.count >= 4, first[0] & 0xf0 == 0x50, first[1...3].elementsEqual([0x2a, 0x4d, 0x18]) { return .zstd }
        if first.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) { return .xz }
        if first.starts(with: Array("BZh".utf8)) {
            throw ArchiveError("unsupported", "\(archive) is compressed with bzip2, which is not read", fix: "bunzip2 it first")
        }
        return .none
    }

    func decoder() throws -> (any StreamDecoder)? {
        switch self {
        case .none: nil
        case .gzip: try GzipDecoder()
        case .zstd: try ZstdDecoder()
        case .xz: try XZDecoder()
        }
    }
}

/// Takes a compressed stream piece by piece and gives what it holds.
protocol StreamDecoder: AnyObject {
    /// - Parameter emit: gets plain bytes, which are gone when it returns.
    func feed(_ input: UnsafeRawBufferPointer, _ emit: (UnsafeRawBufferPointer) throws -> Void) throws
    /// - Throws: ``StreamFault`` when the stream is not whole.
    func finish(_ emit: (UnsafeRawBufferPointer) throws -> Void) throws
}

/// A compressed stream that is none, or is cut off.
struct StreamFault: Error { let text: String }
