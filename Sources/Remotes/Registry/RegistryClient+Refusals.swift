import Foundation

extension RegistryClient {
    private struct Body: Decodable {
        struct One: Decodable {
            var code: String?
            var message: String?
        }
        var errors: [One]?
        var details: String?
    }

    /// What the registry itself says in a refusal.
    private static func said(_ response: HTTPResponse) -> String {
        // Registries also answer with pages, which nobody wants to read.
        let body = try? JSONDecoder().decode(Body.self, from: Data(response.body))
        let errors = body?.errors?.compactMap { $0.message ?? $0.code } ?? body?.details.map { [$0] } ?? []
        return (["HTTP status \(response.status)"] + errors).joined(separator: ": ")
    }

    /// - Parameter what: that was to be done, as in "cannot …".
    func refused(_ response: HTTPResponse, _ what: String) -> RemoteError {
        let said = Self.said(response)
        let login = "log in with `docker login \(name.host)` or `podman login \(name.host)`; the credentials are read from where they put them"
        switch response.status {
        case 401: return RemoteError("unauthorized", "\(name.host) does not let us \(what): it wants to know who we are", cause: said, fix: login)
        case 403:
            return RemoteError(
                "denied", "\(name.host) does not let us \(what)", cause: said,
                fix: "ask for access to \(name.repository), or \(login)")
        case 404: return RemoteError("notFound", "cannot \(what): \(name.host) has no such thing", cause: said, fix: "look at the name and the tag")
        case 413:
            return RemoteError("tooLarge", "\(name.host) does not take as much at once", cause: said, fix: "raise the limit of the proxy before the registry")
        case 429:
            return RemoteError(
                "busy", "\(name.host) has answered too many requests", cause: said, fix: "wait a while and do the same again: it goes on where it stopped")
        case 500...599:
            return RemoteError(
                "registry", "cannot \(what): \(name.host) is in trouble", cause: said, fix: "do the same again later: it goes on where it stopped")
        default: return RemoteError("registry", "cannot \(what): \(name.host) answers with something unexpected", cause: said)
        }
    }

    func explain(_ failure: TransferFailure) -> RemoteError {
        if failure.isTLS {
            return RemoteError(
                "unreachable", "\(name.host) cannot be talked to over TLS", cause: failure.cause,
                fix: "add its authority to this host's, or name a file with SSL_CERT_FILE; a registry without TLS needs --plain-http")
        }
        return RemoteError(
            "unreachable", "\(name.host) cannot be reached", cause: failure.cause,
            fix: "look at the name, the network and the proxy variables (HTTPS_PROXY, NO_PROXY); what was sent is not sent again")
    }
}
