import Foundation

/// Where a model answers, and as whom it is asked.
public struct ModelEndpoint: Sendable {
    /// Whose messages it speaks.
    public enum Dialect: String, Sendable, CaseIterable {
        /// Chat completions, as OpenAI and many servers of one's own have them.
        case openai
        /// Messages, as Anthropic has them.
        case anthropic

        var path: String { self == .openai ? "/chat/completions" : "/messages" }
    }

    public let dialect: Dialect
    /// Where requests are posted.
    public let url: String
    public let model: String
    /// Never shown, and never part of what is asked.
    let key: String?

    /// What TERRINE_MODEL_URL, TERRINE_MODEL, TERRINE_MODEL_KEY and TERRINE_MODEL_KIND say; nil when they say nothing.
    ///
    /// - Parameter model: goes before TERRINE_MODEL.
    /// - Throws: ``AutoinstallError`` `badModel` for what is only half said, and for a key that would leave this host in clear.
    public init?(model: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard let text = value("TERRINE_MODEL_URL") else {
            if model == nil, value("TERRINE_MODEL") == nil { return nil }
            throw AutoinstallError(
                "badModel", "a model is named, and nothing says where it answers", fix: "set TERRINE_MODEL_URL, such as http://localhost:8080/v1")
        }
        guard let name = model ?? value("TERRINE_MODEL") else {
            throw AutoinstallError("badModel", "TERRINE_MODEL_URL is set, and nothing says which model to ask", fix: "name it with --model or TERRINE_MODEL")
        }
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty,
            parts.user == nil, parts.password == nil
        else {
            throw AutoinstallError(
                "badModel", "TERRINE_MODEL_URL is no URL of a server", fix: "set it to one such as https://host/v1, without user and password")
        }
        key = value("TERRINE_MODEL_KEY")
        let isHere = host == "localhost" || host == "[::1]" || host == "::1" || host.hasPrefix("127.")
        if scheme == "http", key != nil, !isHere {
            throw AutoinstallError("badModel", "TERRINE_MODEL_URL is plain HTTP, so the key would go to \(host) in clear", fix: "say https://")
        }
        let path = parts.path.hasSuffix("/") ? String(parts.path.dropLast()) : parts.path
        dialect = try Self.dialect(value("TERRINE_MODEL_KIND"), path)
        self.model = name
        var whole = parts
        if !path.hasSuffix(dialect.path) {
            // Servers are named with and without the version that both have in their paths.
            whole.path = path + (path.isEmpty ? "/v1" : "") + dialect.path
        }
        url = whole.string ?? text
    }

    private static func dialect(_ word: String?, _ path: String) throws -> Dialect {
        guard let word else { return path.hasSuffix(Dialect.anthropic.path) ? .anthropic : .openai }
        guard let dialect = Dialect(rawValue: word) else {
            throw AutoinstallError(
                "badModel", "TERRINE_MODEL_KIND is `\(word)`", fix: "use one of \(Dialect.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return dialect
    }

    /// For messages: without what may be in a query.
    var shown: String { "\(model) at \(url.prefix { $0 != "?" })" }
}
