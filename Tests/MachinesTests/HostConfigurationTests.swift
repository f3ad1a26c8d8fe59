import Foundation
import Glibc
import Linux
import Testing

@testable import Machines

@Suite("What a machine has of its host")
struct HostConfigurationTests {
    /// A host of its own, with a proxy and a resolver on its loopback.
    private func host() throws -> TemporaryFolder {
        let host = try TemporaryFolder()
        try host.write("etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n")
        try host.write("etc/resolv.conf", "nameserver 127.0.0.53\nsearch example.test\n")
        try host.write("etc/ssl/certs/ca-certificates.crt", "A\n")
        try host.write("own.crt", "B")
        try host.write("keys/ours.gpg", "ring")
        try host.write("wheels/a.whl", "")
        try host.write(
            "etc/apt/apt.conf.d/90net",
            """
            // comment { "
            Acquire { http { Proxy "http://localhost:3142"; Proxy-Auto-Detect "/usr/bin/find-proxy"; }; Retries 3; };
            Acquire::https::CaInfo "/nowhere"; /* Acquire::Retries "9"; */ DPkg::Post-Invoke { "rm -rf /"; };
            #clear APT
            """)
        try host.write(
            "etc/apt/sources.list",
            "# deb http://old.test/ x main\ndeb [arch=amd64 signed-by=\(host.path)/keys/ours.gpg] http://mirror.test/debian bookworm main contrib\n")
        try host.write(
            "etc/apt/sources.list.d/more.sources",
            "Types: deb\nURIs: file:\(host.path)/wheels\nSuites: ./\n\nEnabled: no\nTypes: deb\nURIs: http://off.test\nSuites: x\n")
        try host.write(
            "etc/pip.conf",
            "[global]\nindex-url = https://user:word@pypi.test/simple\ncache-dir = /x\nfind-links =\n    \(host.path)/wheels\n    http://127.0.0.1:8000/\n")
        return host
    }

    private func settings(_ host: TemporaryFolder) -> HostSettings {
        HostSettings(
            root: host.path, environment: ["HOME": "/nobody", "https_proxy": "http://proxy.test:3128", "PIP_CERT": host.path + "/own.crt", "SECRET": "x"])
    }

    @Test("apt's and pip's configuration is read as they read it, with this host's places as a machine sees them")
    func reading() throws {
        let host = try host()
        defer { withExtendedLifetime(host) {} }
        let settings = settings(host)
        #expect(settings.apt.settings.map { "\($0.name)=\($0.value)" } == ["Acquire::http::Proxy=http://169.254.213.1:3142", "Acquire::Retries=3"])
        #expect(
            settings.apt.sources.map(\.text) == [
                "Types: deb\nSuites: bookworm\nComponents: main contrib\nArchitectures: amd64\nURIs: http://mirror.test/debian\nSigned-By: /dev/terrine/host/files/0.gpg\n",
                "Types: deb\nSuites: ./\nURIs: file:/dev/terrine/folders/0\n",
            ])
        #expect(
            settings.pip.text
                == "[global]\nfind-links = /dev/terrine/folders/0\n    http://169.254.213.1:8000/\nindex-url = https://user:word@pypi.test/simple\n")
        #expect(settings.certificates == Array("A\nB\n".utf8))
        #expect(settings.environment["https_proxy"] == "http://proxy.test:3128" && settings.environment["SECRET"] == nil)
        #expect(settings.environment["PIP_CERT"] == "/dev/terrine/host/ca.crt")
        #expect(Set(settings.services.endpoints.map { "\($0.host):\($0.port)" }) == ["proxy.test:3128", "mirror.test:80", "pypi.test:443"])
        #expect(settings.services.served == [3142, 8000, 53])
    }

    @Test("only what the image has is covered, and its archives only by those of its own release")
    func binds() throws {
        let host = try host()
        let image = try TemporaryFolder()
        let staged = try TemporaryFolder()
        defer { withExtendedLifetime((host, image, staged)) {} }
        for file in ["etc/resolv.conf", "etc/hosts"] { try image.write(file, "") }
        try image.write("etc/os-release", "ID=debian\nVERSION_CODENAME=\"bookworm\"\n")
        try image.write("etc/apt/sources.list.d/debian.sources", "Types: deb deb-src\n")
        let settings = settings(host)
        let configuration = try HostConfiguration.stage(into: staged.path, machine: "m", network: .open(allow: []), settings: settings)
        func targets() throws -> [String] { try configuration.binds(for: RootedFolder(image.path)).map(\.target) }
        #expect(try targets() == ["/dev/terrine/host", "/etc/resolv.conf", "/etc/hosts", "/dev/terrine/folders/0", "/etc/apt/sources.list.d/debian.sources"])
        func text(_ name: String) throws -> String { try String(contentsOfFile: "\(staged.path)/\(name)", encoding: .utf8) }
        #expect(try text("resolv.conf") == "nameserver 169.254.213.1\nsearch example.test\n")
        #expect(try text("apt.conf").contains("Dir::Etc::sourcelist") && text("archives.sources").contains("Types: deb deb-src"))
        #expect(try text("files/0.gpg") == "ring")
        try image.write("etc/os-release", "ID=debian\nVERSION_CODENAME=trixie\n")
        #expect(try targets().last == "/dev/terrine/folders/0")
        #expect(try !text("apt.conf").contains("Dir::Etc::sourcelist"))
    }

    @Test("a machine without a network gets certificates and names, and nothing of registries")
    func offline() throws {
        let host = try host()
        let image = try TemporaryFolder()
        let staged = try TemporaryFolder()
        defer { withExtendedLifetime((host, image, staged)) {} }
        let configuration = try HostConfiguration.stage(into: staged.path, machine: "m", network: .none, settings: settings(host))
        #expect(Set(configuration.environment.values) == ["/dev/terrine/host/ca.crt"])
        #expect(try configuration.binds(for: RootedFolder(image.path)).map(\.target) == ["/dev/terrine/host"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: staged.path).sorted() == ["ca.crt", "empty", "files", "hostname", "hosts", "resolv.conf"])
    }
}
