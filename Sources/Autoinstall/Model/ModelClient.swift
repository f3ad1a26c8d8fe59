import Foundation
import Linux
import Remotes

/// Asks a model over HTTP, and again where that may help: when it is busy, when it fails, when its answer breaks off.
struct ModelClient: Sendable {
    /// One question; what was said before is in it.
    struct Question: Sendable {
        struct Turn: Sendable {
            enum Speaker: String, Sendable { case user, assistant }
            let speaker: Speaker
            let text: String
        }
        let system: String
        var turns: [Turn]
        /// Tokens that the answer may have.
        var limit = 4000
    }

    let endpoint: ModelEndpoint
    var retry = Retry()
    private let http = HTTPClient()

    init(_ endpoint: ModelEndpoint) { self.endpoint = endpoint }

    /// The answer, on a thread of its own: the transfer blocks.
    ///
    /// - Parameter time: what all attempts together may take.
    /// - Throws: ``AutoinstallError`` `modelUnreachable`, `modelRefuses`, `modelBusy` or `modelAnswer`.
    func reply(to question: Question, within time: Duration) async throws -> ModelReply {
        try await withCheckedThrowingContinuation { continuation in
            do {
                _ = try PlainThread { continuation.resume(with: Result { try ask(question, within: time) }) }
            } catch { continuation.resume(throwing: error) }
        }
    }

    /// An attempt that another one may follow.
    private struct Setback: Error {
        let error: AutoinstallError
        var wait: Double?
    }

    /// OpenAI's newer models call the bound of an answer otherwise than all other servers do.
    private struct OtherName: Error {}

    private func ask(_ question: Question, within time: Duration) throws -> ModelReply {
        let end = ContinuousClock.now + time
        var (attempt, isNew) = (1, false)
        while true {
            let left = ContinuousClock.now.duration(to: end)
            guard left > .seconds(1) else { throw AutoinstallError("modelBusy", "\(endpoint.shown) has not answered in the time that it has") }
            do { return try once(try body(question, isNew: isNew), Int(left.components.seconds)) } catch is OtherName where !isNew {
                isNew = true
            } catch let setback as Setback {
                var retry = retry
                retry.longest = min(retry.longest, Double(left.components.seconds))
                guard retry.wait(attempt, asked: setback.wait) else { throw setback.error }
                attempt += 1
            }
        }
    }

    private func once(_ body: [UInt8], _ seconds: Int) throws -> ModelReply {
        var request = HTTPRequest("POST", endpoint.url)
        request.headers = [("Content-Type", "application/json"), ("Accept", "text/event-stream, application/json")] + credentials
        request.body = BytesBody(bytes: body)
        request.timeout = max(1, seconds)
        // It may think for a while before it says anything.
        request.idleTimeout = request.timeout ?? 60
        var (reply, stream, other) = (ModelReply(), EventStream(), [UInt8]())
        let response: HTTPResponse
        do {
            response = try http.perform(
                request,
                receive: { response, bytes in
                    if response.isSuccess, response.headers["content-type"]?.hasPrefix("text/event-stream") == true {
                        return try stream.take(bytes) { try reply.take($0.data, endpoint.dialect) }
                    }
                    guard other.count + bytes.count <= 1 << 20 else { throw AutoinstallError("modelAnswer", "\(endpoint.shown) answers with more than 1 MiB") }
                    other += bytes
                })
        } catch let failure as TransferFailure {
            throw unreachable(failure)
        } catch let failure as ModelReply.Failure { throw gaveUp(failure) }
        guard response.isSuccess else { throw refusal(response, other) }
        do { if !other.isEmpty { try reply.take(String(decoding: other, as: UTF8.self), endpoint.dialect) } } catch let failure as ModelReply.Failure {
            throw gaveUp(failure)
        }
        guard reply.isWhole else { throw Setback(error: AutoinstallError("modelAnswer", "the answer of \(endpoint.shown) breaks off")) }
        return reply
    }

    private var credentials: [(name: String, value: String)] {
        guard let key = endpoint.key else { return endpoint.dialect == .anthropic ? [("anthropic-version", "2023-06-01")] : [] }
        return endpoint.dialect == .anthropic ? [("x-api-key", key), ("anthropic-version", "2023-06-01")] : [("Authorization", "Bearer \(key)")]
    }

    /// What both dialects ask in; what one of them does not have is left out.
    private struct Body: Encodable {
        struct Turn: Encodable {
            let role: String
            let content: String
        }
        struct Options: Encodable { let include_usage = true }
        let model: String
        var max_tokens: Int?
        var max_completion_tokens: Int?
        let stream = true
        var stream_options: Options?
        var system: String?
        var messages: [Turn]
    }

    private func body(_ question: Question, isNew: Bool) throws -> [UInt8] {
        let turns = question.turns.map { Body.Turn(role: $0.speaker.rawValue, content: $0.text) }
        var body = Body(model: endpoint.model, messages: turns)
        if isNew { body.max_completion_tokens = question.limit } else { body.max_tokens = question.limit }
        switch endpoint.dialect {
        case .openai:
            body.messages.insert(Body.Turn(role: "system", content: question.system), at: 0)
            body.stream_options = Body.Options()
        case .anthropic: body.system = question.system
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(body))
    }

    // MARK: What goes wrong

    private func unreachable(_ failure: TransferFailure) -> any Error {
        let error = AutoinstallError(
            "modelUnreachable", "\(endpoint.shown) cannot be reached", cause: failure.cause, fix: "look at TERRINE_MODEL_URL, or go on without a model")
        return failure.isTransient ? Setback(error: error) : error
    }

    private func gaveUp(_ failure: ModelReply.Failure) -> any Error {
        let error = AutoinstallError("modelBusy", "\(endpoint.shown) gives up in the middle of its answer", cause: shown(failure.message))
        return failure.isTransient ? Setback(error: error) : error
    }

    private func refusal(_ response: HTTPResponse, _ body: [UInt8]) -> any Error {
        let reason = ModelReply.reason(body).map(shown)
        // 529 is Anthropic's word for overloaded.
        if Retry.statuses.contains(response.status) || response.status == 529 {
            let error = AutoinstallError("modelBusy", "\(endpoint.shown) answers with status \(response.status)", cause: reason, fix: "try again later")
            return Setback(error: error, wait: Retry.after(response.headers["retry-after"]))
        }
        if response.status == 400, reason?.contains("max_completion_tokens") == true { return OtherName() }
        let fix = [401: "give its key in TERRINE_MODEL_KEY", 403: "give its key in TERRINE_MODEL_KEY", 404: "look at TERRINE_MODEL_URL and the model's name"]
        return AutoinstallError("modelRefuses", "\(endpoint.shown) answers with status \(response.status)", cause: reason, fix: fix[response.status])
    }

    /// Without the key, should a server send it back.
    private func shown(_ text: String) -> String {
        let plain = Evidence.shown(text)
        return endpoint.key.map { plain.replacing($0, with: "***") } ?? plain
    }
}
