/// Where a request's body comes from, also a second time.
package protocol HTTPBody: Sendable {
    var count: Int64 { get }
    /// Fills all of `buffer` from `offset` on, or as much as there is.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int
}

package struct BytesBody: HTTPBody {
    let bytes: [UInt8]
    package var count: Int64 { Int64(bytes.count) }

    package init(bytes: [UInt8]) { self.bytes = bytes }

    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
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

package struct HTTPRequest {
    package var method = "GET"
    package var url: String
    package var headers: [(name: String, value: String)] = []
    package var body: (any HTTPBody)?
    /// In seconds.
    package var connectTimeout = 30
    /// Seconds over which nothing comes until the connection is held to be dead.
    package var idleTimeout = 60
    /// Seconds for all of it; nil: as long as it takes.
    package var timeout: Int?

    package init(_ method: String = "GET", _ url: String) { (self.method, self.url) = (method, url) }
}

package struct HTTPResponse {
    package var status = 0
    /// Names in small letters; what came several times is joined by commas.
    package var headers: [String: String] = [:]
    package var body: [UInt8] = []

    package var isSuccess: Bool { (200..<300).contains(status) }
}

/// No answer, or not a whole one.
package struct TransferFailure: Error {
    let code: UInt32
    package let cause: String
    /// Whether the same may go well a moment later.
    package let isTransient: Bool
    /// Whether the other side could not be believed to be who it is.
    package let isTLS: Bool
}
