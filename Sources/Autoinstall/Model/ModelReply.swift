import Foundation

/// What a model has answered so far, piece by piece.
struct ModelReply: Equatable {
    private(set) var text = ""
    private(set) var inputTokens: Int?
    private(set) var outputTokens: Int?
    /// It has said that this is its end: a stream that stops before is cut off.
    private(set) var isWhole = false
    /// It had more to say than it may.
    private(set) var isCutShort = false

    /// More is no answer to what we ask.
    private static let limit = 256 << 10

    /// The server's own word for what went wrong in the middle of an answer.
    struct Failure: Error, Equatable {
        let message: String
        /// Whether the same may go well a moment later.
        let isTransient: Bool
    }

    /// Takes one event of a stream, or a whole answer.
    ///
    /// - Throws: ``Failure`` when the server gives up; ``AutoinstallError`` `modelAnswer` for what is none of its dialect.
    mutating func take(_ json: String, _ dialect: ModelEndpoint.Dialect) throws {
        do {
            switch dialect {
            case .openai: try openAI(json)
            case .anthropic: try anthropic(json)
            }
        } catch let error as DecodingError {
            throw AutoinstallError(
                "modelAnswer", "what the server sends is no answer of a model", cause: String("\(error)".prefix(200)),
                fix: "look at TERRINE_MODEL_URL and TERRINE_MODEL_KIND")
        }
        if text.utf8.count > Self.limit { throw AutoinstallError("modelAnswer", "the model answers with more than \(Self.limit) bytes") }
    }

    /// How a server tells that something is wrong, in both dialects.
    private struct Trouble: Decodable {
        var type: String?
        var code: String?
        var message: String?

        private static let transient = ["overloaded_error", "api_error", "rate_limit_error", "timeout_error", "server_error", "rate_limit_exceeded"]

        private enum CodingKeys: String, CodingKey { case type, code, message }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            type = try values.decodeIfPresent(String.self, forKey: .type)
            message = try values.decodeIfPresent(String.self, forKey: .message)
            // A number with some servers, and then of no use here.
            code = try? values.decode(String.self, forKey: .code)
        }

        var failure: Failure {
            Failure(message: message ?? type ?? "no reason", isTransient: [type, code].contains { $0.map(Self.transient.contains) ?? false })
        }
    }

    // MARK: OpenAI

    private struct Completion: Decodable {
        struct Choice: Decodable {
            struct Message: Decodable { var content: String? }
            var delta: Message?
            var message: Message?
            var finish_reason: String?
        }
        struct Usage: Decodable {
            var prompt_tokens: Int?
            var completion_tokens: Int?
        }
        var choices: [Choice]?
        var usage: Usage?
        var error: Trouble?
    }

    private mutating func openAI(_ json: String) throws {
        if json == "[DONE]" {
            isWhole = true
            return
        }
        let part = try JSONDecoder().decode(Completion.self, from: Data(json.utf8))
        if let error = part.error { throw error.failure }
        if let choice = part.choices?.first {
            text += choice.delta?.content ?? choice.message?.content ?? ""
            if let reason = choice.finish_reason {
                isWhole = true
                isCutShort = reason == "length"
            }
        }
        inputTokens = part.usage?.prompt_tokens ?? inputTokens
        outputTokens = part.usage?.completion_tokens ?? outputTokens
    }

    // MARK: Anthropic

    private struct Message: Decodable {
        struct Usage: Decodable {
            var input_tokens: Int?
            var output_tokens: Int?
        }
        struct Start: Decodable { var usage: Usage? }
        struct Delta: Decodable {
            var text: String?
            var stop_reason: String?
        }
        struct Block: Decodable { var text: String? }
        var type: String?
        var message: Start?
        var delta: Delta?
        var usage: Usage?
        var content: [Block]?
        var stop_reason: String?
        var error: Trouble?
    }

    private mutating func anthropic(_ json: String) throws {
        let part = try JSONDecoder().decode(Message.self, from: Data(json.utf8))
        if let error = part.error { throw error.failure }
        text += part.delta?.text ?? ""
        for block in part.content ?? [] { text += block.text ?? "" }
        if let reason = part.delta?.stop_reason ?? part.stop_reason { isCutShort = reason == "max_tokens" }
        if part.type == "message_stop" || part.stop_reason != nil { isWhole = true }
        for usage in [part.message?.usage, part.usage] {
            inputTokens = usage?.input_tokens ?? inputTokens
            outputTokens = usage?.output_tokens ?? outputTokens
        }
    }

    /// The server's reason in the body of a refusal; nil where it gives none.
    static func reason(_ body: [UInt8]) -> String? {
        struct Refusal: Decodable { var error: Trouble? }
        // What is no JSON of theirs is a proxy's page, which says nothing.
        return (try? JSONDecoder().decode(Refusal.self, from: Data(body)))?.error.map { Evidence.shown($0.failure.message) }
    }
}
