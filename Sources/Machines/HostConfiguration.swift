import Foundation
import Glibc
import Linux

/// How this host reaches the world, made ready for a machine: certificate authorities, resolver, proxies, and what apt and pip are told.
///
/// All of it is mounted read-only at ``insideFolder`` while the machine runs, and announced by variables. Nothing is written to its disk,
/// so nothing of it can become part of an image.
struct HostConfiguration: Sendable {
    /// Where it is in the machine: on its `/dev`, which is no part of its disk.
    static let insideFolder = "/dev/terrine"

    /// For the machine's processes.
    private(set) var environment: [String: String] = [:]
    private(set) var binds: [Bind] = []
    /// The machine's first process.
    private(set) var firstProcess: [String] = []
    /// Who must be reached even at a private address: registries and proxies.
    private(set) var hosts: Set<String> = []
    /// Addresses of the host's resolvers.
    private(set) var resolvers: [String] = []
    private let folder: String
    private let inside = HostConfiguration.insideFolder

    /// Folders of this host that its configuration names -> where they are in the machine.
    private var folders: [String: String] = [:]

    /// - Parameters:
    ///   - folder: gets the files.
    ///   - gateway: this host as the machine reaches it; stands for a resolver that listens on the host alone.
    static func stage(into folder: String, machine: String, gateway: String?) throws -> HostConfiguration {
        var configuration = HostConfiguration(folder: folder)
        try configuration.stage(machine, gateway)
        return configuration
    }

    private init(folder: String) { self.folder = folder }

    private mutating func stage(_ machine: String, _ gateway: String?) throws {
        // Seen in the machine by its own users; the home around it is closed.
        try removeFolder(folder)
        try makeFolder("")
        binds.append(Bind(source: folder, target: inside, readOnly: true))
        try write("init", "")
        let first = try FirstProcess.choose()
        firstProcess = first.command
        binds += first.binds
        try write("hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t\(machine)\n")
        binds.append(Bind(source: folder + "/hosts", target: "/etc/hosts", readOnly: false))
        guard let gateway else { return }
        try stageResolver(gateway)
        try stageAuthorities()
        stageProxies()
        try stageApt()
        try stagePip()
        for (index, source) in folders.keys.sorted().enumerated() {
            try makeFolder("folders/\(index)")
            if let target = folders[source] { binds.append(Bind(source: source, target: target, readOnly: true)) }
        }
    }

    /// Makes the points for mounts below the host's folder, such as a build's caches: in the machine that folder is read-only.
    func makePlaces(for binds: [Bind]) throws {
        for bind in binds where bind.target.hasPrefix(inside + "/") {
            let name = String(bind.target.dropFirst(inside.count + 1))
            guard !name.split(separator: "/").contains("..") else { throw MachineError("invalid", "`\(bind.target)` is no place for a mount") }
            var status = stat()
            if stat(bind.source, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
                try makeFolder(name)
            } else {
                try makeFolder((name as NSString).deletingLastPathComponent)
                try write(name, "")
            }
        }
    }

    // MARK: files

    private func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    private func write(_ name: String, _ text: String) throws {
        let file = try Descriptor(folder + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try Array(text.utf8).withUnsafeBytes { try file.write($0, at: 0) }
        try check("set the mode of", name) { fchmod(file.raw, 0o644) }
    }

    private static func text(_ path: String) -> String? {
        guard access(path, R_OK) == 0 else { return nil }
        // What is there and cannot be read is as good as not there.
        return (try? readFile(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func files(_ folder: String, _ suffixes: [String]) -> [String] {
        // A host without the folder has none.
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { name in suffixes.contains { name.hasSuffix($0) } }.sorted()
    }

    // MARK: parts

    private mutating func stageResolver(_ gateway: String) throws {
        var lines: [String] = []
        for line in (Self.text("/etc/resolv.conf") ?? "").split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.first == "nameserver", words.count > 1 else {
                if ["search", "options", "domain"].contains(words.first ?? "") { lines.append(String(line)) }
                continue
            }
            let address = String(words[1])
            // Machines have no IPv6.
            if address.contains(":") { continue }
            resolvers.append(address)
            let seen = address.hasPrefix("127.") ? gateway : address
            if !lines.contains("nameserver \(seen)") { lines.append("nameserver \(seen)") }
        }
        try write("resolv.conf", lines.joined(separator: "\n") + "\n")
        binds.append(Bind(source: folder + "/resolv.conf", target: "/etc/resolv.conf", readOnly: false))
    }

    private mutating func stageAuthorities() throws {
        let places = [ProcessInfo.processInfo.environment["SSL_CERT_FILE"], "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
        guard let bundle = places.compactMap({ $0 }).first(where: { access($0, R_OK) == 0 }) else { return }
        try write("ca.crt", "")
        binds.append(Bind(source: bundle, target: inside + "/ca.crt", readOnly: true))
        for name in ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"] {
            environment[name] = inside + "/ca.crt"
        }
    }

    private mutating func stageProxies() {
        for name in ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"] {
            for name in [name, name.uppercased()] {
                guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { continue }
                environment[name] = value
                if !name.lowercased().hasPrefix("no_") { note(urlsIn: value) }
            }
        }
    }

    private mutating func stageApt() throws {
        let sources = ["/etc/apt/sources.list"] + Self.files("/etc/apt/sources.list.d", [".list", ".sources"]).map { "/etc/apt/sources.list.d/" + $0 }
        try makeFolder("apt/sources.list.d")
        for path in sources {
            guard let text = Self.text(path) else { continue }
            note(urlsIn: text)
            try write(path.hasSuffix("sources.list") ? "apt/sources.list" : "apt/sources.list.d/\((path as NSString).lastPathComponent)", movingFolders(text))
        }
        for (host, own) in [("/etc/apt/keyrings", "apt/keyrings"), ("/etc/apt/auth.conf.d", "apt/auth.conf.d")] {
            try makeFolder(own)
            for name in Self.files(host, [""]) {
                guard let bytes = FileManager.default.contents(atPath: "\(host)/\(name)") else { continue }
                try bytes.write(to: URL(fileURLWithPath: "\(folder)/\(own)/\(name)"))
                try check("set the mode of", name) { chmod("\(folder)/\(own)/\(name)", 0o644) }
            }
        }
        let acquire = try Self.aptSettings()
        note(urlsIn: acquire)
        var settings = movingFolders(acquire)
        if environment["SSL_CERT_FILE"] != nil { settings += "Acquire::https::CaInfo \"\(inside)/ca.crt\";\n" }
        settings += "Dir::Etc::netrcparts \"\(inside)/apt/auth.conf.d\";\n"
        try write("apt/apt.conf", settings)
        // For a machine of this host's own release.
        settings += "Dir::Etc::SourceList \"\(inside)/apt/sources.list\";\nDir::Etc::SourceParts \"\(inside)/apt/sources.list.d\";\n"
        try write("apt/apt-with-sources.conf", settings)
        environment["APT_CONFIG"] = inside + "/apt/apt.conf"
    }

    /// What apt of this host says of fetching, in its own flat form: proxies, checks, limits.
    private static func aptSettings() throws -> String {
        var wanted = ""
        for file in ["/etc/apt/apt.conf"] + files("/etc/apt/apt.conf.d", [""]).map({ "/etc/apt/apt.conf.d/" + $0 }) {
            guard let text = text(file), text.contains("Acquire") else { continue }
            wanted += text
        }
        // To ask apt takes as long as to start a machine: only when there is something to ask for.
        guard wanted.contains("Proxy") || wanted.contains("Check-") || wanted.contains("Timeout") || wanted.contains("Verify") else { return "" }
        let result = try Command("apt-config", ["dump", "Acquire"]).capture()
        guard result.status == .exited(0) else { return "" }
        return result.output.split(separator: "\n").filter { line in
            ["Proxy", "Check-", "Timeout", "Verify", "Retries"].contains { line.contains($0) } && !line.hasSuffix(" \"\";")
        }.map { $0 + "\n" }.joined()
    }

    private mutating func stagePip() throws {
        var sections: [String: [String: String]] = [:]
        for path in ["/etc/pip.conf", NSHomeDirectory() + "/.pip/pip.conf", NSHomeDirectory() + "/.config/pip/pip.conf"] {
            var section = "global"
            for line in (Self.text(path) ?? "").split(separator: "\n") {
                let trimmed = line.trimmingCharacters(in: .whitespaces)
                if trimmed.hasPrefix("["), trimmed.hasSuffix("]") {
                    section = String(trimmed.dropFirst().dropLast())
                } else if let equals = trimmed.firstIndex(of: "="), !trimmed.hasPrefix("#") {
                    let key = trimmed[..<equals].trimmingCharacters(in: .whitespaces)
                    let value = trimmed[trimmed.index(after: equals)...].trimmingCharacters(in: .whitespaces)
                    if key == "cert" || key == "cache-dir" { continue }
                    note(urlsIn: value)
                    sections[section, default: [:]][key] = movingFolders(value)
                }
            }
        }
        let text = sections.sorted { $0.key < $1.key }.map { section, values in
            "[\(section)]\n" + values.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
        }.joined()
        try write("pip.conf", text)
        environment["PIP_CONFIG_FILE"] = inside + "/pip.conf"
        for name in [
            "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST", "PIP_NO_INDEX", "PIP_DEFAULT_TIMEOUT", "UV_INDEX_URL",
            "UV_DEFAULT_INDEX",
        ] {
            guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { continue }
            note(urlsIn: value)
            environment[name] = movingFolders(value)
        }
    }

    /// Notes the hosts that a text's URLs name.
    private mutating func note(urlsIn text: String) {
        for match in text.matches(of: /[a-z+]+:\/\/(?:[^\/@\s"]*@)?([A-Za-z0-9._-]+)/) { hosts.insert(String(match.1)) }
    }

    /// The text, with folders of this host that it names under where they are in the machine.
    private mutating func movingFolders(_ text: String) -> String {
        var result = text
        for match in text.matches(of: /(?:^|[\s="]|file:(?:\/\/)?)(\/[A-Za-z0-9._\/-]+)/) {
            let path = String(match.1)
            var status = stat()
            guard !path.hasPrefix("/usr/share/keyrings"), !path.hasPrefix("/etc/apt"), !path.hasPrefix("/dev/"), stat(path, &status) == 0,
                status.st_mode & S_IFMT == S_IFDIR
            else { continue }
            let target = folders[path] ?? "\(inside)/folders/\(folders.count)"
            folders[path] = target
            result = result.replacing(path, with: target)
        }
        return result.replacing("/etc/apt/keyrings/", with: inside + "/apt/keyrings/")
    }

    /// The environment for a machine with this disk: packages come from this host's sources only if it is of the same release.
    func environment(for disk: RootedFolder) -> [String: String] {
        guard environment["APT_CONFIG"] != nil, let own = Self.release(Self.text("/etc/os-release")) else { return environment }
        // A machine without the file is of no release that this host could know.
        let machine = (try? disk.read("/etc/os-release", limit: 65536)).flatMap { Self.release(String(decoding: $0, as: UTF8.self)) }
        return machine == own ? environment.merging(["APT_CONFIG": inside + "/apt/apt-with-sources.conf"]) { $1 } : environment
    }

    private static func release(_ text: String?) -> [String]? {
        guard let lines = text?.split(separator: "\n") else { return nil }
        let found = ["ID=", "VERSION_CODENAME="].compactMap { key in lines.first { $0.hasPrefix(key) }.map(String.init) }
        return found.count == 2 ? found : nil
    }
}
