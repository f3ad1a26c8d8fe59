/// Where a request's body comes from, also a second time.
protocol HTTPBody: Sendable {
    var count: Int64 { get }
    /// Fills all of `buffer` from `offset` on, or as much as there is.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int
}

struct BytesBody: HTTPBody {
    let bytes: [UInt8]
    var count: Int64 { Int64(bytes.count) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        let part = bytes[Int(offset)..<min(bytes.count, Int(offset) + buffer.count)]
        buffer.copyBytes(from: part)
        return part.count
    }
}

/// A part of another body.
struct PartBody: HTTPBody {
    let whole: any HTTPBody
    let range: Range<Int64>
    var count: Int64 { Int64(range.count) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        let count = min(buffer.count, Int(range.upperBound - range.lowerBound - offset))
        return try whole.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: range.lowerBound + offset)
    }
}

struct HTTPRequest {
    var method = "GET"
    var url: String
    var headers: [(name: String, value: String)] = []
    var body: (any HTTPBody)?
    /// In seconds.
    var connectTimeout = 30

    init(_ method: String = "GET", _ url: String) { (self.method, self.url) = (method, url) }
}

struct HTTPResponse {
    var status = 0
    /// Names in small letters; what came several times is joined by commas.
    var headers: [String: String] = [:]
    var body: [UInt8] = []

    var isSuccess: Bool { (200..<300).contains(status) }
}

/// No answer, or not a whole one.
struct TransferFailure: Error {
    let code: UInt32
    let cause: String
    /// Whether the same may go well a moment later.
    let isTransient: Bool
    /// Whether the other side could not be believed to be who it is.
    let isTLS: Bool
}
