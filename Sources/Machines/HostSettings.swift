import Foundation
import Glibc
import Linux

/// How this host reaches the world: certificates, resolver, proxies, registries; as machines are to have it.
///
/// Reading it has no effect; ``HostConfiguration`` lays it out for one machine.
struct HostSettings: Sendable {
    /// Where a machine finds what is laid out for it.
    static let inMachine = "/dev/terrine/host"

    /// Read once a process: a machine keeps what its host was at its start.
    static let ofThisHost = HostSettings()

    /// Certificate authorities in PEM form; empty when this host has none.
    var certificates: [UInt8] = []
    /// As resolv.conf has them, without the servers.
    var resolverOptions: [String] = []
    /// Environment variables as they are to be in a machine.
    var environment: [String: String] = [:]
    var apt: AptConfiguration
    var pip: PipConfiguration
    var services = HostServices()
    /// Folders of this host that its configuration names, in the order of their numbers in the machine.
    var folders: [String] = []
    /// Files of this host that its configuration names, likewise.
    var files: [String] = []
    /// `ID` and `VERSION_CODENAME` of /etc/os-release.
    var release: String

    /// - Parameter root: instead of `/`, for tests.
    init(root: String = "", environment own: [String: String] = ProcessInfo.processInfo.environment) {
        apt = AptConfiguration(folder: root + "/etc/apt")
        let home = own["HOME"] ?? "/root"
        let pipFiles =
            ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", "\(home)/.pip/pip.conf", "\(home)/.config/pip/pip.conf"].map { root + $0 } + [
                own["PIP_CONFIG_FILE"] ?? ""
            ]
        pip = PipConfiguration(files: pipFiles)
        release = Self.release(Self.text(root + "/etc/os-release"))
        readCertificates(root, own)
        readResolver(root)
        readProxies(own)
        readPip(own)
        readApt()
    }

    private static func text(_ path: String) -> String { readSmallFile(path) ?? "" }

    /// Which distribution, in which release; empty when it does not say.
    static func release(_ text: String) -> String {
        func value(_ name: String) -> String? {
            text.split(separator: "\n").first { $0.hasPrefix(name + "=") }.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: ["\""]) }
        }
        guard let id = value("ID"), let name = value("VERSION_CODENAME") else { return "" }
        return "\(id) \(name)"
    }

    private static let certificateVariables = [
        "SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE",
        "NIX_SSL_CERT_FILE",
    ]

    /// The host's bundle, and what variables name beside it.
    private mutating func readCertificates(_ root: String, _ own: [String: String]) {
        let usual = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"].map { root + $0 }
        var seen: Set<String> = []
        for path in [usual.first { access($0, R_OK) == 0 }] + Self.certificateVariables.map({ own[$0] }) {
            guard let path, !path.isEmpty, seen.insert(path).inserted, let bytes = try? readFile(path) else { continue }  // a variable may name nothing
            certificates += bytes + (bytes.last == 10 ? [] : [10])
        }
        guard !certificates.isEmpty else { return }
        for name in Self.certificateVariables { environment[name] = Self.inMachine + "/ca.crt" }
    }

    private mutating func readResolver(_ root: String) {
        var text = Self.text(root + "/etc/resolv.conf")
        // systemd-resolved listens on this host's loopback; its upstream servers are in a file beside.
        if Self.servers(text).allSatisfy(\.isLoopback) {
            let upstream = Self.text(root + "/run/systemd/resolve/resolv.conf")
            if Self.servers(upstream).contains(where: { !$0.isLoopback }) { text = upstream }
        }
        services.resolvers = Self.servers(text)
        if services.resolvers.contains(where: { !$0.isLoopback }) { services.resolvers.removeAll(where: \.isLoopback) }
        resolverOptions = text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("search ") || $0.hasPrefix("options ") || $0.hasPrefix("domain ") }
    }

    private static func servers(_ text: String) -> [IPv4Address] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            return words.count > 1 && words[0] == "nameserver" ? IPv4Address(String(words[1])) : nil
        }
    }

    private mutating func readProxies(_ own: [String: String]) {
        for name in ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"] {
            for name in [name, name.uppercased()] { if let value = own[name], !value.isEmpty { environment[name] = services.use(value) } }
        }
        for name in ["no_proxy", "NO_PROXY"] { if let value = own[name], !value.isEmpty { environment[name] = value } }
        for name in ["GOPROXY", "GOSUMDB", "GONOSUMDB", "GOFLAGS", "NPM_CONFIG_REGISTRY", "npm_config_registry"] {
            if let value = own[name], !value.isEmpty { environment[name] = value.hasPrefix("http") ? services.use(value) : value }
        }
    }

    private mutating func readPip(_ own: [String: String]) {
        var sections = pip.sections
        for (section, options) in pip.sections {
            for (option, value) in options { sections[section]?[option] = translated(option, value) }
        }
        pip.sections = sections
        for option in PipConfiguration.options {
            let name = "PIP_" + option.uppercased().replacingOccurrences(of: "-", with: "_")
            if let value = own[name], !value.isEmpty { environment[name] = translated(option, value) }
        }
        if !pip.sections.isEmpty { environment["PIP_CONFIG_FILE"] = Self.inMachine + "/pip.conf" }
    }

    /// A value with its URLs and folders as a machine has them.
    private mutating func translated(_ option: String, _ value: String) -> String {
        guard ["index-url", "extra-index-url", "find-links", "proxy"].contains(option) else { return value }
        var parts: [String] = []
        for part in value.split(whereSeparator: \.isWhitespace).map(String.init) {
            if let local = localPath(part) { parts.append(folder(local) ?? part) } else { parts.append(services.use(part)) }
        }
        return parts.joined(separator: "\n")
    }

    private func localPath(_ text: String) -> String? {
        if text.hasPrefix("/") { return text }
        for scheme in ["file://", "file:", "copy://", "copy:"] where text.hasPrefix(scheme) { return String(text.dropFirst(scheme.count)) }
        return nil
    }

    /// Where in a machine a folder of this host will be; nil when it is none.
    private mutating func folder(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        if !folders.contains(path) { folders.append(path) }
        return folders.firstIndex(of: path).map { "/dev/terrine/folders/\($0)" }
    }

    private mutating func file(_ path: String) -> String? {
        guard path.hasPrefix("/"), access(path, R_OK) == 0 else { return nil }
        if !files.contains(path) { files.append(path) }
        return files.firstIndex(of: path).map {
            "\(Self.inMachine)/files/\($0)\((path as NSString).pathExtension.isEmpty ? "" : "." + (path as NSString).pathExtension)"
        }
    }

    private mutating func readApt() {
        apt.settings = apt.settings.compactMap { setting in
            var setting = setting
            let last = setting.name.lowercased().components(separatedBy: "::").last ?? ""
            if ["cainfo", "capath", "issuercert"].contains(last) { return nil }  // the bundle has them
            if ["sslcert", "sslkey"].contains(last) {
                guard let path = file(setting.value) else { return nil }
                setting.value = path
            } else if last == "proxy" || setting.name.lowercased().contains("::proxy::"), setting.value.contains("://") {
                setting.value = services.use(setting.value)
            }
            return setting
        }
        for index in apt.sources.indices {
            let addresses = (apt.sources[index]["URIs"] ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
            var inside: [String] = []
            for address in addresses {
                if let local = localPath(address) {
                    if let path = folder(local) { inside.append("file:" + path) }
                } else {
                    inside.append(services.use(address))
                }
            }
            apt.sources[index]["URIs"] = inside.joined(separator: " ")
            // A key ring is named by its path, or stands there itself.
            if let ring = apt.sources[index]["Signed-By"], ring.hasPrefix("/") {
                let paths = ring.split(whereSeparator: \.isWhitespace).compactMap { file(String($0)) }
                apt.sources[index]["Signed-By"] = paths.isEmpty ? nil : paths.joined(separator: " ")
            }
        }
        apt.sources.removeAll { $0["URIs"]?.isEmpty ?? true }
        environment["APT_CONFIG"] = Self.inMachine + "/apt.conf"
    }
}
