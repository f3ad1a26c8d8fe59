import Foundation
import Linux

/// Who we are to a registry.
struct Credentials: Sendable, Equatable {
    var user: String
    var secret: String
    /// Instead of a password: buys tokens at the registry's token service.
    var identityToken: String?

    var basic: String { "Basic " + Data("\(user):\(secret)".utf8).base64EncodedString() }
}

/// Where `docker login` and `podman login` put credentials:
/// https://docs.docker.com/reference/cli/docker/login/, https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
struct CredentialFiles {
    var environment = ProcessInfo.processInfo.environment

    private struct File: Decodable {
        struct Entry: Decodable {
            var auth: String?
            var username: String?
            var password: String?
            var identitytoken: String?
        }
        var auths: [String: Entry]?
        var credHelpers: [String: String]?
        var credsStore: String?
    }

    /// In the order in which they are asked.
    var paths: [String] {
        let home = environment["HOME"] ?? NSHomeDirectory()
        func given(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var paths = [(given("DOCKER_CONFIG") ?? home + "/.docker") + "/config.json"]
        if let file = given("REGISTRY_AUTH_FILE") { paths.append(file) }
        if let folder = given("XDG_RUNTIME_DIR") { paths.append(folder + "/containers/auth.json") }
        return paths + ["/run/containers/\(getuid())/auth.json", (given("XDG_CONFIG_HOME") ?? home + "/.config") + "/containers/auth.json"]
    }

    /// For a repository; nil: we are nobody.
    ///
    /// - Throws: ``RemoteError`` `invalid` for a file or a helper that cannot be used.
    func find(_ name: RemoteName) throws -> Credentials? {
        for path in paths {
            guard let bytes = FileManager.default.contents(atPath: path) else { continue }
            let file: File
            do { file = try JSONDecoder().decode(File.self, from: bytes) } catch {
                throw RemoteError("invalid", "\(path) cannot be read", cause: "\(error)", fix: "mend it, or log in again with `docker login \(name.host)`")
            }
            let servers = Self.servers(name.host)
            for server in servers {
                guard let helper = file.credHelpers?[server] else { continue }
                if let found = try ask(helper, server, path) { return found }
            }
            if let helper = file.credsStore, !helper.isEmpty {
                for server in servers { if let found = try ask(helper, server, path) { return found } }
            }
            // The longest first: podman has credentials for parts of a registry.
            let parts = name.repository.split(separator: "/").map(String.init)
            let scoped = (0..<parts.count).map { ([name.host] + parts.dropLast($0)).joined(separator: "/") }
            for key in scoped + servers {
                guard let entry = file.auths?[key] else { continue }
                if let found = try Self.credentials(entry, key, path) { return found }
            }
        }
        return nil
    }

    /// What a host is called in these files.
    private static func servers(_ host: String) -> [String] {
        var names = [host, "https://\(host)", "https://\(host)/v1/", "https://\(host)/v2/", "http://\(host)"]
        if host == "docker.io" { names.append("https://index.docker.io/v1/") }
        return names
    }

    private static func credentials(_ entry: File.Entry, _ key: String, _ path: String) throws -> Credentials? {
        var found = Credentials(user: entry.username ?? "", secret: entry.password ?? "", identityToken: entry.identitytoken)
        if let auth = entry.auth, !auth.isEmpty {
            guard let data = Data(base64Encoded: auth), let text = String(data: data, encoding: .utf8), let colon = text.firstIndex(of: ":") else {
                throw RemoteError("invalid", "\(path) has no credentials for \(key) that can be read", cause: "`auth` is not base64 of `user:password`")
            }
            found.user = String(text[..<colon])
            // Docker pads with zero bytes.
            found.secret = text[text.index(after: colon)...].trimmingCharacters(in: CharacterSet(charactersIn: "\0"))
        }
        return found.user.isEmpty && found.identityToken == nil ? nil : found
    }

    /// The helper programs' protocol: https://github.com/docker/docker-credential-helpers#development
    private func ask(_ helper: String, _ server: String, _ path: String) throws -> Credentials? {
        struct Answer: Decodable {
            var Username: String
            var Secret: String
        }
        let program = "docker-credential-" + helper
        guard helper.wholeMatch(of: /[A-Za-z0-9._\-]+/) != nil else {
            throw RemoteError("invalid", "\(path) names the credential helper `\(helper)`, which is no program's name")
        }
        let result: CapturedOutput
        do { result = try Command(program, ["get"]).capture(input: server + "\n") } catch let error as LinuxError {
            throw RemoteError("invalid", "the credential helper \(program) cannot be run", cause: "\(error)", fix: "install it, or take it out of \(path)")
        }
        if result.status == .exited(0), let answer = try? JSONDecoder().decode(Answer.self, from: Data(result.output.utf8)) {  // Told below.
            if answer.Username == "<token>" { return Credentials(user: "", secret: "", identityToken: answer.Secret) }
            return answer.Username.isEmpty && answer.Secret.isEmpty ? nil : Credentials(user: answer.Username, secret: answer.Secret)
        }
        if (result.output + result.errors).contains("credentials not found") { return nil }
        throw RemoteError(
            "invalid", "the credential helper \(program) gives nothing for \(server)",
            cause: (result.errors + result.output).trimmingCharacters(in: .whitespacesAndNewlines), fix: "run `echo \(server) | \(program) get`")
    }
}
