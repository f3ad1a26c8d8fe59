import Foundation
import Glibc
import Linux

/// The real `docker-registry` on a free port, with its storage in a folder that goes with it.
public final class RegistryProcess {
    public let port: UInt16
    public let folder: String
    private let process: pid_t

    /// - Parameters:
    ///   - htpasswd: lines of users that must log in.
    ///   - certificate: and its key, for TLS.
    public init(htpasswd: String? = nil, certificate: (certificate: String, key: String)? = nil) throws {
        folder = NSTemporaryDirectory() + "terrine-registry-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let probe = try TCPSocket.listen()
        port = probe.port
        probe.shut()
        var lines = [
            "version: 0.1", "log: { level: error, accesslog: { disabled: true } }", "storage: { filesystem: { rootdirectory: \(folder)/data } }",
            "http:", "  addr: 127.0.0.1:\(port)",
        ]
        if let certificate { lines.append("  tls: { certificate: \(certificate.certificate), key: \(certificate.key) }") }
        if let htpasswd {
            try htpasswd.write(toFile: folder + "/htpasswd", atomically: true, encoding: .utf8)
            lines.append("auth: { htpasswd: { realm: test, path: \(folder)/htpasswd } }")
        }
        try (lines.joined(separator: "\n") + "\n").write(toFile: folder + "/config.yml", atomically: true, encoding: .utf8)
        var command = Command("docker-registry", ["serve", folder + "/config.yml"])
        let log = try Descriptor(folder + "/log", O_WRONLY | O_CREAT)
        command.descriptors = [1: log.raw, 2: log.raw]
        command.environment = ["PATH=/usr/bin:/bin", "OTEL_TRACES_EXPORTER=none"]
        process = try command.start()
        for _ in 0..<500 {
            if (try? TCPSocket.connect(to: port)) != nil { return }  // Not yet.
            usleep(20_000)
        }
        throw LinuxError("reach", "docker-registry (\((try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""))", code: ETIMEDOUT)
    }

    deinit {
        kill(process, SIGKILL)
        _ = try? waitForExit(of: process)  // It has ended either way.
        try? FileManager.default.removeItem(atPath: folder)
    }
}
