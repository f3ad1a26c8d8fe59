import Foundation
import Images
import Synchronization
import TestSupport
import Testing

@testable import Remotes

@Suite("Registries", .serialized)
struct RegistryTests {
    @Test("names of remotes: the host is said, and what is none is told")
    func names() throws {
        let name = try RemoteName("registry.example.com:5000/team/a-b/image:1.2")
        #expect((name.host, name.repository, name.reference) == ("registry.example.com:5000", "team/a-b/image", "1.2"))
        #expect(try RemoteName("localhost/x").reference == "latest")
        let digest = "sha256:" + String(repeating: "ab", count: 32)
        #expect(try RemoteName("a.b/c:tag@\(digest)").description == "a.b/c@\(digest)")
        for text in ["image", "team/image", "https://a.b/c", "a.b/C", "a.b/c:", "a.b/c:-x", "a.b/../c", "a.b/c@sha256:12", "a.b:x/c", "a.b/"] {
            #expect(throws: RemoteError.self, "\(text)") { try RemoteName(text) }
        }
    }

    @Test("challenges are read as RFC 9110 has them")
    func challenges() {
        let bearer = Challenge.parse(#"Bearer realm="https://auth.example.com/token",service="a, b",scope="repository:x/y:pull,push""#)
        #expect(
            bearer == [
                Challenge(
                    scheme: "bearer", parameters: ["realm": "https://auth.example.com/token", "service": "a, b", "scope": "repository:x/y:pull,push"])
            ])
        let two = Challenge.parse(#"Basic realm="x \"y\"", Bearer realm=z"#)
        #expect(two.map(\.scheme) == ["basic", "bearer"] && two[0].parameters["realm"] == #"x "y""# && two[1].parameters["realm"] == "z")
        #expect(Challenge.parse("").isEmpty && Challenge.parse("=,\"").isEmpty)
    }

    @Test("Retry-After is seconds or a date")
    func retryAfter() {
        #expect(Retry.after("7") == 7)
        let now = Date(timeIntervalSince1970: 784_111_777 - 30)
        #expect(Retry.after("Sun, 06 Nov 1994 08:49:37 GMT", now: now) == 30)
        #expect(Retry.after(nil) == nil && Retry.after("soon") == nil)
    }

    @Test("credentials come from docker's file, its helpers, and podman's file")
    func credentials() throws {
        let scratch = try Scratch()
        func encoded(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
        try scratch.write(
            "docker/config.json",
            #"{"auths":{"one.example.com":{"auth":"\#(encoded("me:a:b"))"},"https://two.example.com/v1/":{"identitytoken":"T","auth":"\#(encoded("x:"))"},"helped.example.com":{}},"credHelpers":{"helped.example.com":"test","none.example.com":"test"}}"#
        )
        try scratch.write(
            "run/containers/auth.json",
            #"{"auths":{"three.example.com/team":{"auth":"\#(encoded("team:1"))"},"three.example.com":{"auth":"\#(encoded("all:2"))"}}}"#)
        try scratch.write(
            "bin/docker-credential-test",
            """
            #!/bin/sh
            read server
            case "$1 $server" in
            "get helped.example.com") echo '{"ServerURL":"helped.example.com","Username":"h","Secret":"s"}';;
            *) echo "credentials not found in native keychain"; exit 1;;
            esac
            """)
        try scratch.sh("chmod 755 bin/docker-credential-test")
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        setenv("PATH", "\(scratch.path)/bin:\(path)", 1)
        defer { setenv("PATH", path, 1) }
        let files = CredentialFiles(environment: ["DOCKER_CONFIG": scratch.path + "/docker", "XDG_RUNTIME_DIR": scratch.path + "/run", "HOME": scratch.path])
        func find(_ name: String) throws -> Credentials? { try files.find(RemoteName(name)) }
        #expect(try find("one.example.com/x") == Credentials(user: "me", secret: "a:b"))
        #expect(try find("two.example.com/x")?.identityToken == "T")
        #expect(try find("helped.example.com/x") == Credentials(user: "h", secret: "s"))
        #expect(try find("none.example.com/x") == nil)
        #expect(try find("three.example.com/team/x")?.user == "team")
        #expect(try find("three.example.com/other/x")?.user == "all")
        #expect(try find("four.example.com/x") == nil)
    }

    @Test("a registry that wants a login gets the one that docker left, and nobody else is told it")
    func basic() throws {
        let scratch = try Scratch()
        // `secret`, as htpasswd -B has it.
        let registry = try RegistryProcess(htpasswd: "me:$2y$05$uSURybzyAjkTfnoDfxC8X.VUx1Cq.o6wi7X92m.OEO9th5QcU2x2S\n")
        let store = try scratch.store("a")
        let image = try store.make(1..<3)
        try withDockerConfig(#"{"auths":{}}"#, scratch) {
            let error = #expect(throws: RemoteError.self) { try push(image, store, registry.port, "team/image:1") }
            #expect(error?.code == "unauthorized" && error?.fix?.contains("docker login") == true)
        }
        let auth = Data("me:secret".utf8).base64EncodedString()
        try withDockerConfig(#"{"auths":{"127.0.0.1:\#(registry.port)":{"auth":"\#(auth)"}}}"#, scratch) {
            _ = try push(image, store, registry.port, "team/image:1")
            #expect(try pull(scratch.store("b"), registry.port, "team/image:1").image == image.digest.description)
        }
    }

    @Test("a token is bought where the challenge says, renewed when it is refused, and never sent to where a redirect leads")
    func token() throws {
        let scratch = try Scratch()
        let registry = try RegistryProcess()
        let store = try scratch.store("a")
        let image = try store.make(1..<40)
        _ = try push(image, store, registry.port, "team/image:1")
        // Another origin, to which blobs are redirected.
        let elsewhere = try FaultProxy(upstream: registry.port)
        defer { elsewhere.stop() }
        let own = Atomic<Int>(0)
        let asked = Atomic(0)
        let elsewherePort = elsewhere.port
        let proxy = try FaultProxy(upstream: registry.port) { request in
            let port = own.load(ordering: .relaxed)
            if request.path.hasPrefix("/token") {
                let right =
                    request.path.contains("scope=repository:team/image:pull") && request.path.contains("service=here")
                    && request.headers["authorization"] == "Basic " + Data("me:secret".utf8).base64EncodedString()
                return right ? .answer(200, body: #"{"token":"T\#(asked.add(1, ordering: .relaxed).newValue)"}"#) : .answer(401)
            }
            // The first token is soon no good any more.
            if request.headers["authorization"] != "Bearer T2" {
                return .answer(401, headers: ["WWW-Authenticate": "Bearer realm=\"http://127.0.0.1:\(port)/token\",service=\"here\""])
            }
            if request.method == "GET", request.path.contains("/blobs/") {
                return .answer(307, headers: ["Location": "http://127.0.0.1:\(elsewherePort)\(request.path)"])
            }
            return .pass
        }
        defer { proxy.stop() }
        own.store(Int(proxy.port), ordering: .relaxed)
        let auth = Data("me:secret".utf8).base64EncodedString()
        try withDockerConfig(#"{"auths":{"127.0.0.1:\#(proxy.port)":{"auth":"\#(auth)"}}}"#, scratch) {
            let pulled = try pull(scratch.store("b"), proxy.port, "team/image:1")
            #expect(pulled.image == image.digest.description)
        }
        #expect(asked.load(ordering: .relaxed) == 2)
        #expect(!elsewhere.counts.requests.isEmpty && elsewhere.counts.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test("TLS: a registry whose authority this host does not know is refused, one that SSL_CERT_FILE names is not")
    func tls() throws {
        let scratch = try Scratch()
        try scratch.sh(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 2>&1")
        let registry = try RegistryProcess(certificate: (scratch.path + "/cert.pem", scratch.path + "/key.pem"))
        let store = try scratch.store("a")
        let image = try store.make(1..<3)
        let remote = try Remote("127.0.0.1:\(registry.port)/team/image:1", home: store.home)
        let error = #expect(throws: RemoteError.self) { try Push(images: store, to: remote).run(image) }
        #expect(error?.code == "unreachable" && error?.fix?.contains("SSL_CERT_FILE") == true)
        let before = ProcessInfo.processInfo.environment["CURL_CA_BUNDLE"]
        setenv("CURL_CA_BUNDLE", scratch.path + "/cert.pem", 1)
        defer { if let before { setenv("CURL_CA_BUNDLE", before, 1) } else { unsetenv("CURL_CA_BUNDLE") } }
        #expect(try Push(images: store, to: remote).run(image).sentBytes > 2 * 65536)
    }

    private func withDockerConfig(_ text: String, _ scratch: Scratch, _ body: () throws -> Void) throws {
        try scratch.write("login/config.json", text)
        let before = ProcessInfo.processInfo.environment["DOCKER_CONFIG"]
        setenv("DOCKER_CONFIG", scratch.path + "/login", 1)
        defer { if let before { setenv("DOCKER_CONFIG", before, 1) } else { unsetenv("DOCKER_CONFIG") } }
        try body()
    }
}

@Suite("The configuration of remotes")
struct RemoteConfigurationTests {
    @Test("the longest name that fits counts, and paths are beside the file")
    func settings() throws {
        let configuration = try RemoteConfiguration(
            """
            remotes:
              a.example.com: { trusted: true }
              a.example.com/team:
                plainHTTP: yes
                keys: [ci.pub, /etc/x.pub]
            requireSignature: ci.pub
            """, path: "/home/config.yaml")
        #expect(try configuration.remote(RemoteName("a.example.com/x")).isTrusted)
        let team = configuration.remote(try RemoteName("a.example.com/team/x"))
        #expect(!team.isTrusted && team.isPlain && team.keys == ["/home/ci.pub", "/etc/x.pub"])
        #expect(try !configuration.remote(RemoteName("a.example.com.evil.com/x")).isTrusted)
        #expect(configuration.requiredKeys == ["/home/ci.pub"])
    }

    @Test(
        "what is wrong is told with its place",
        arguments: [
            ("remotes: 3", "/c.yaml:1:10"), ("remote: {}", "/c.yaml:1:1"), ("remotes:\n  a.b: { trusted: maybe }", "/c.yaml:2:19"),
            ("remotes:\n  a.b: { key: x }", "/c.yaml:2:10"), ("remotes: [", "/c.yaml"),
        ])
    func wrong(_ text: String, _ place: String) {
        let error = #expect(throws: RemoteError.self) { try RemoteConfiguration(text, path: "/c.yaml") }
        #expect(error?.code == "invalid" && error?.message.contains(place) == true, "\(error?.message ?? "")")
    }
}
