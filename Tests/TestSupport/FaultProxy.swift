import Foundation
import Glibc
import Linux
import Synchronization

/// Stands before a registry, passes on what comes, counts it, and does to it what networks and registries do: cuts, delays, damages, refuses.
///
/// One request a connection. Plain threads.
public final class FaultProxy: Sendable {
    public struct Request: Sendable {
        public let method: String
        /// With its query.
        public let path: String
        /// Names in small letters.
        public let headers: [String: String]
        public let bodyBytes: Int
    }

    public enum Action: Sendable {
        case pass
        /// Answers itself.
        case answer(Int, headers: [String: String] = [:], body: String = "")
        /// Cuts both sides after so many bytes of the request's body.
        case cutRequest(after: Int)
        /// Cuts the answer after so many bytes of its body.
        case cutAnswer(after: Int)
        /// Turns a bit of this byte of the answer's body.
        case damageAnswer(at: Int)
    }

    public struct Counts: Sendable {
        /// Of bodies.
        public var up = 0
        public var down = 0
        public var requests: [Request] = []
    }

    private let listener: TCPSocket
    private let upstream: UInt16
    private let rule: @Sendable (Request) -> Action
    private let all = Mutex(Counts())
    private let pause = Atomic<UInt32>(0)
    private let thread = Mutex<PlainThread?>(nil)

    public var port: UInt16 { listener.port }
    public var counts: Counts { all.withLock { $0 } }
    public func reset() { all.withLock { $0 = Counts() } }
    /// Microseconds to wait after each 64 KiB, in either direction.
    public func slow(_ microseconds: UInt32) { pause.store(microseconds, ordering: .relaxed) }

    /// - Parameter rule: asked for each request what becomes of it.
    public init(upstream: UInt16, _ rule: @escaping @Sendable (Request) -> Action = { _ in .pass }) throws {
        (self.upstream, self.rule, listener) = (upstream, rule, try TCPSocket.listen())
        let thread = try PlainThread { [listener, weak self] in
            while let client = listener.accept() {
                guard let proxy = self else { return }
                // A thread that cannot be had is a connection that was not accepted.
                _ = try? PlainThread { proxy.serve(client) }
            }
        }
        self.thread.withLock { $0 = thread }
    }

    public func stop() {
        listener.shut()
        thread.withLock { $0?.join() }
    }

    private struct Head {
        var lines: [String]
        var rest: [UInt8]
        var headers: [String: String] {
            Dictionary(
                lines.dropFirst().compactMap { line in
                    line.firstIndex(of: ":").map { (line[..<$0].lowercased(), line[line.index(after: $0)...].trimmingCharacters(in: .whitespaces)) }
                }
            ) { "\($0), \($1)" }
        }
    }

    private func head(_ socket: TCPSocket) -> Head? {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let range = bytes.firstRange(of: end) {
                let lines = String(decoding: bytes[..<range.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
                return Head(lines: lines, rest: Array(bytes[range.upperBound...]))
            }
            let more = socket.receive()
            if more.isEmpty { return nil }
            bytes += more
        }
    }

    private func wait() {
        let time = pause.load(ordering: .relaxed)
        if time > 0 { usleep(time) }
    }

    private func serve(_ client: TCPSocket) {
        defer { client.shut() }
        guard let head = head(client) else { return }
        let words = head.lines[0].split(separator: " ").map(String.init)
        guard words.count >= 2 else { return }
        let length = head.headers["content-length"].flatMap { Int($0) } ?? 0
        let request = Request(method: words[0], path: words[1], headers: head.headers, bodyBytes: length)
        all.withLock { $0.requests.append(request) }
        let action = rule(request)
        if case .answer(let status, let headers, let body) = action {
            // All of it is read first: closing with something unread resets the connection, and the answer is lost.
            var left = length - head.rest.count
            while left > 0 {
                let more = client.receive()
                if more.isEmpty { return }
                left -= more.count
            }
            let lines = ["HTTP/1.1 \(status) Because", "Content-Length: \(body.utf8.count)", "Connection: close"] + headers.map { "\($0.key): \($0.value)" }
            client.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + (request.method == "HEAD" ? "" : body)).utf8))
            return
        }
        guard let server = try? TCPSocket.connect(to: upstream) else { return }  // As a registry that is down.
        defer { server.shut() }
        let kept = head.lines.filter { !$0.lowercased().hasPrefix("connection:") } + ["Connection: close"]
        server.send(Array((kept.joined(separator: "\r\n") + "\r\n\r\n").utf8))
        var limit = length
        if case .cutRequest(let after) = action { limit = min(length, after) }
        var (sent, waiting) = (0, head.rest)
        while sent < limit {
            let part = waiting.isEmpty ? client.receive() : waiting
            waiting = []
            if part.isEmpty { return }
            let passed = part.prefix(limit - sent)
            server.send(passed)
            sent += passed.count
            all.withLock { $0.up += passed.count }
            wait()
        }
        if limit < length { return }
        guard let answer = self.head(server) else { return }
        client.send(Array((answer.lines.joined(separator: "\r\n") + "\r\n\r\n").utf8))
        var (got, part) = (0, answer.rest)
        while true {
            if !part.isEmpty {
                if case .damageAnswer(let at) = action, (got..<got + part.count).contains(at) { part[at - got] ^= 0x10 }
                if case .cutAnswer(let after) = action, got + part.count > after {
                    client.send(part.prefix(after - got))
                    all.withLock { $0.down += after - got }
                    return
                }
                got += part.count
                all.withLock { $0.down += part.count }
                if !client.send(part) { return }
                wait()
            }
            part = server.receive()
            if part.isEmpty { return }
        }
    }
}
