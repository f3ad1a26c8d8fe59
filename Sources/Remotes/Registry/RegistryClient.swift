import ChunkStore
import Foundation
import Synchronization

/// One repository of a registry: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
///
/// Any number of threads use it at once.
final class RegistryClient: Sendable {
    enum Access: String {
        case pull
        case push = "pull,push"
    }

    let name: RemoteName
    let isPlain: Bool
    let retry: Retry
    private let connectTimeout: Int
    private let http = HTTPClient()
    private let access: Access
    private let authorization = Mutex<Authorization>(Authorization())

    private struct Authorization {
        var header: String?
        /// Counts how often it was renewed: one that has just been is not renewed by all who were refused with the one before.
        var generation = 0
        /// Repositories to mount from, which a token must be for as well.
        var others: Set<String> = []
    }

    init(_ name: RemoteName, isPlain: Bool, access: Access, retry: Retry = Retry(), connectTimeout: Int = 30) {
        (self.name, self.isPlain, self.access, self.retry, self.connectTimeout) = (name, isPlain, access, retry, connectTimeout)
    }

    /// `docker.io` is the name of images there, and no registry.
    private var server: String { name.host == "docker.io" ? "registry-1.docker.io" : name.host }
    var base: String { "\(isPlain ? "http" : "https")://\(server)" }
    func url(_ path: String) -> String { "\(base)/v2/\(name.repository)/\(path)" }

    /// An upload's place, which may be given without the host.
    func resolve(_ location: String, from url: String) -> String { URL(string: location, relativeTo: URL(string: url))?.absoluteString ?? location }

    // MARK: requests

    /// Sends a request, with what the registry wants to know of us, as often as is sensible.
    ///
    /// - Parameters:
    ///   - retries: whether it may be sent again when it is not known what became of it.
    ///   - body: gets the pieces of an answer's body that is a success; nil keeps it in the response.
    /// - Returns: the answer, also one that is a refusal.
    func send(
        _ request: HTTPRequest, retries: Bool = true, progress: (Int) -> Void = { _ in }, body: ((HTTPResponse, UnsafeRawBufferPointer) throws -> Void)? = nil
    ) throws -> HTTPResponse {
        var attempt = 1
        while true {
            do {
                let response = try authorized(request, progress: progress, body: body)
                guard retries, Retry.statuses.contains(response.status) else { return response }
                if !retry.wait(attempt, asked: Retry.after(response.headers["retry-after"])) { return response }
            } catch let failure as TransferFailure {
                if !failure.isTransient || !retries || !retry.wait(attempt) { throw explain(failure) }
            }
            attempt += 1
        }
    }

    /// As ``send(_:retries:progress:body:)``, once, and no failure of the transfer is put into words.
    func authorized(
        _ request: HTTPRequest, progress: (Int) -> Void = { _ in }, body: ((HTTPResponse, UnsafeRawBufferPointer) throws -> Void)? = nil
    ) throws -> HTTPResponse {
        var renewed = 0
        while true {
            let (header, generation) = authorization.withLock { ($0.header, $0.generation) }
            var sent = 0
            let response = try following(
                request, header,
                progress: {
                    sent += $0
                    progress($0)
                }, body: body)
            // A second time when the token was one for something else.
            guard response.status == 401, renewed < 2 else { return response }
            progress(-sent)
            renewed += 1
            try renew(after: generation, response)
        }
    }

    /// Follows redirects of what only reads. Who we are is told to nobody but the registry itself.
    private func following(
        _ request: HTTPRequest, _ header: String?, progress: (Int) -> Void, body: ((HTTPResponse, UnsafeRawBufferPointer) throws -> Void)?
    ) throws -> HTTPResponse {
        var request = request
        let headers = request.headers
        request.connectTimeout = connectTimeout
        for _ in 0..<6 {
            request.headers = headers
            if let header, Self.isSameOrigin(request.url, base) { request.headers.append(("Authorization", header)) }
            let response: HTTPResponse
            if let body {
                var refusal: [UInt8] = []
                var got = try http.perform(request, progress: progress) { head, bytes in
                    if head.isSuccess { try body(head, bytes) } else if refusal.count < 65536 { refusal += bytes }
                }
                got.body = refusal
                response = got
            } else {
                response = try http.perform(request, progress: progress)
            }
            guard ["GET", "HEAD"].contains(request.method), [301, 302, 303, 307, 308].contains(response.status), let location = response.headers["location"]
            else { return response }
            let next = resolve(location, from: request.url)
            guard isPlain || next.hasPrefix("https://") else {
                throw RemoteError(
                    "denied", "\(name.host) leads from HTTPS to \(next.prefix { $0 != "?" })", fix: "tell the registry's owner; nothing was sent there")
            }
            request.url = next
        }
        throw RemoteError("registry", "\(name.host) leads from one place to another without end")
    }

    static func isSameOrigin(_ a: String, _ b: String) -> Bool {
        func origin(_ text: String) -> String? {
            guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), let host = url.host?.lowercased() else { return nil }
            return "\(scheme) \(host) \(url.port ?? (scheme == "https" ? 443 : 80))"
        }
        return origin(a) != nil && origin(a) == origin(b)
    }

    // MARK: who we are

    /// Lets tokens be for reading from another repository of the same registry as well.
    func includeScope(_ repository: String) {
        authorization.withLock {
            // One that was given before does not say so.
            if $0.others.insert(repository).inserted, $0.header?.hasPrefix("Bearer") == true { ($0.header, $0.generation) = (nil, $0.generation + 1) }
        }
    }

    private func renew(after generation: Int, _ refusal: HTTPResponse) throws {
        // Whoever comes second takes what the first got.
        if authorization.withLock({ $0.generation != generation }) { return }
        let challenges = Challenge.parse(refusal.headers["www-authenticate"] ?? "")
        let credentials = try CredentialFiles().find(name)
        let header: String
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            header = "Bearer " + (try token(bearer, credentials))
        } else if challenges.contains(where: { $0.scheme == "basic" }), let credentials, !credentials.user.isEmpty {
            header = credentials.basic
        } else {
            throw refused(refusal, "log in")
        }
        authorization.withLock { ($0.header, $0.generation) = (header, $0.generation + 1) }
    }

    private func token(_ challenge: Challenge, _ credentials: Credentials?) throws -> String {
        struct Answer: Decodable {
            var token: String?
            var access_token: String?
        }
        guard let realm = challenge.parameters["realm"], var url = URLComponents(string: realm), let scheme = url.scheme else {
            throw RemoteError("registry", "\(name.host) asks for a token and does not say where to get one")
        }
        guard scheme == "https" || (scheme == "http" && isPlain) else {
            throw RemoteError("denied", "\(name.host) wants credentials sent over plain HTTP, to \(url.host ?? realm)", fix: "nothing was sent; tell its owner")
        }
        let others = authorization.withLock { $0.others.sorted() }
        var scopes = ["repository:\(name.repository):\(access.rawValue)"] + others.map { "repository:\($0):pull" }
        if let asked = challenge.parameters["scope"], !scopes.contains(asked) { scopes.append(asked) }
        var request: HTTPRequest
        if let identity = credentials?.identityToken {
            var form = URLComponents()
            form.queryItems = [
                .init(name: "grant_type", value: "refresh_token"), .init(name: "refresh_token", value: identity),
                .init(name: "service", value: challenge.parameters["service"] ?? ""), .init(name: "scope", value: scopes.joined(separator: " ")),
                .init(name: "client_id", value: "terrine"),
            ]
            request = HTTPRequest("POST", realm)
            let body = (form.percentEncodedQuery ?? "").replacingOccurrences(of: "+", with: "%2B")
            request.body = BytesBody(bytes: Array(body.utf8))
            request.headers = [("Content-Type", "application/x-www-form-urlencoded")]
        } else {
            var items = url.queryItems ?? []
            if let service = challenge.parameters["service"] { items.append(.init(name: "service", value: service)) }
            url.queryItems = items + scopes.map { .init(name: "scope", value: $0) }
            request = HTTPRequest("GET", url.string ?? realm)
            if let credentials { request.headers = [("Authorization", credentials.basic)] }
        }
        request.connectTimeout = connectTimeout
        var attempt = 1
        while true {
            let response: HTTPResponse
            do { response = try http.perform(request) } catch let failure as TransferFailure {
                if failure.isTransient, retry.wait(attempt) {
                    attempt += 1
                    continue
                }
                throw explain(failure)
            }
            if Retry.statuses.contains(response.status), retry.wait(attempt, asked: Retry.after(response.headers["retry-after"])) {
                attempt += 1
                continue
            }
            guard response.isSuccess else { throw refused(response, "get a token from \(URL(string: realm)?.host ?? realm)") }
            // What has no token in it is told as such.
            let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body))
            guard let token = answer?.token ?? answer?.access_token, !token.isEmpty else {
                throw RemoteError("registry", "\(realm) answers without a token")
            }
            return token
        }
    }
}
