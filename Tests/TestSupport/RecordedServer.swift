import Foundation
import Glibc
import Linux
import Synchronization

/// Answers HTTP requests with what was recorded, one answer after the other, byte for byte, and keeps what it was asked.
///
/// One request a connection. Plain threads.
public final class RecordedServer: Sendable {
    public struct Request: Sendable {
        public let method: String
        public let path: String
        /// Names in small letters.
        public let headers: [String: String]
        public let body: String
    }

    public struct Answer: Sendable {
        let bytes: [UInt8]
        /// Bytes at a time: what a stream brings comes in pieces of any size.
        let piece: Int

        /// - Parameters:
        ///   - text: the whole answer, from `HTTP/1.1` on; line ends of its head may be those of this host.
        ///   - cutAfter: bytes of it after which the connection ends.
        public init(_ text: String, cutAfter: Int? = nil, piece: Int = 4096) {
            let parts = text.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
            let head = parts[0].replacing("\r\n", with: "\n").replacing("\n", with: "\r\n")
            let whole = Array((head + "\r\n\r\n" + (parts.count > 1 ? parts[1] : "")).utf8)
            bytes = Array(whole.prefix(cutAfter ?? whole.count))
            self.piece = piece
        }
    }

    private struct State {
        var answers: [Answer]
        var requests: [Request] = []
    }

    private let listener: TCPSocket
    private let state: Mutex<State>
    private let thread = Mutex<PlainThread?>(nil)

    public var port: UInt16 { listener.port }
    public var requests: [Request] { state.withLock { $0.requests } }
    /// How many answers nobody has asked for.
    public var left: Int { state.withLock { $0.answers.count } }

    /// - Parameter answers: the last one again and again, when `repeats`; else a request too many has its connection closed.
    public init(_ answers: [Answer], repeats: Bool = false) throws {
        listener = try TCPSocket.listen()
        state = Mutex(State(answers: answers))
        let thread = try PlainThread { [listener, weak self] in
            while let client = listener.accept() {
                guard let server = self else { return }
                server.serve(client, repeats)
            }
        }
        self.thread.withLock { $0 = thread }
    }

    public func stop() {
        listener.shut()
        thread.withLock { $0?.join() }
    }

    private func serve(_ client: TCPSocket, _ repeats: Bool) {
        defer { client.shut() }
        guard let request = read(client) else { return }
        let answer = state.withLock { state -> Answer? in
            state.requests.append(request)
            guard let first = state.answers.first else { return nil }
            if !repeats || state.answers.count > 1 { state.answers.removeFirst() }
            return first
        }
        guard let answer else { return }
        for start in stride(from: 0, to: answer.bytes.count, by: answer.piece) {
            if !client.send(answer.bytes[start..<min(answer.bytes.count, start + answer.piece)]) { return }
        }
    }

    private func read(_ client: TCPSocket) -> Request? {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let range = bytes.firstRange(of: end) {
                let lines = String(decoding: bytes[..<range.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
                let words = lines[0].split(separator: " ").map(String.init)
                let pairs = lines.dropFirst().compactMap { line in
                    line.firstIndex(of: ":").map { (line[..<$0].lowercased(), line[line.index(after: $0)...].trimmingCharacters(in: .whitespaces)) }
                }
                let headers = Dictionary(pairs) { "\($0), \($1)" }
                guard words.count >= 2 else { return nil }
                var body = Array(bytes[range.upperBound...])
                let length = headers["content-length"].flatMap { Int($0) } ?? 0
                while body.count < length {
                    let more = client.receive()
                    if more.isEmpty { return nil }
                    body += more
                }
                return Request(method: words[0], path: words[1], headers: headers, body: String(decoding: body, as: UTF8.self))
            }
            let more = client.receive()
            if more.isEmpty { return nil }
            bytes += more
        }
    }
}
