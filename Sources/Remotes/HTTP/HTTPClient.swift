import Foundation
import Synchronization

/// Lends transfers to threads: there are as many as were ever needed at once, each with its connections.
package final class HTTPClient: Sendable {
    package init() {}

    private let free = Mutex<[HTTPTransfer]>([])

    package func perform(
        _ request: HTTPRequest, progress: (Int) -> Void = { _ in }, receive: (HTTPResponse, UnsafeRawBufferPointer) throws -> Void
    ) throws -> HTTPResponse {
        let transfer = try free.withLock { $0.popLast() } ?? HTTPTransfer()
        defer { free.withLock { $0.append(transfer) } }
        return try transfer.perform(request, progress: progress, receive: receive)
    }

    /// With the whole answer in memory.
    ///
    /// - Parameter limit: bytes that it may have; more is no answer to what we ask.
    package func perform(_ request: HTTPRequest, progress: (Int) -> Void = { _ in }, limit: Int = 4 << 20) throws -> HTTPResponse {
        var body: [UInt8] = []
        var response = try perform(request, progress: progress) { _, bytes in
            guard body.count + bytes.count <= limit else {
                throw RemoteError("corrupt", "\(URL(string: request.url)?.host ?? "the registry") answers with more than \(limit) bytes")
            }
            body += bytes
        }
        response.body = body
        return response
    }
}
