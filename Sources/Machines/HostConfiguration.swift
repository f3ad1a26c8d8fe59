import Foundation
import Glibc
import Linux

/// What one machine has of this host at run time: files to be mounted read-only, and variables that announce them.
///
/// Nothing of it is ever on the machine's disk. What programs find by a variable lies on the machine's `/dev`, which is no part of the disk; what they
/// look for in one place (`/etc/resolv.conf`, `/etc/hosts`, `/etc/hostname`) is mounted over the image's own file, and left out where the image has none,
/// since its place would have to be made on the disk. The image's certificate bundle is not covered: its package replaces it by a rename, which
/// a mount would forbid.
struct HostConfiguration: Sendable {
    /// For every process of the machine.
    let environment: [String: String]
    /// On this host: what is mounted at ``HostSettings/inMachine``.
    private let folder: String
    private let settings: HostSettings
    private let isOnline: Bool

    /// Writes a machine's files into `folder`. Quick: a few small files, none of them durable.
    static func stage(
        into folder: String, machine: String, network: NetworkChoice, settings: HostSettings = .ofThisHost
    ) throws -> HostConfiguration {
        let isOnline = network != .none
        var environment = settings.environment
        // Without a network registries are of no use, but certificates may be: a machine's own servers have clients too.
        if !isOnline { environment = environment.filter { $0.value == HostSettings.inMachine + "/ca.crt" } }
        let configuration = HostConfiguration(environment: environment, folder: folder, settings: settings, isOnline: isOnline)
        try configuration.write(machine)
        return configuration
    }

    private func write(_ machine: String) throws {
        try FileManager.default.createDirectory(atPath: folder + "/files", withIntermediateDirectories: true)
        // Everybody in the machine may read it; who may enter the folder above on this host is root alone.
        for path in [folder, folder + "/files"] { try check("set the mode of", path) { chmod(path, 0o755) } }
        try put("hostname", machine + "\n")
        try put("hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t\(machine)\n\(MachineNetwork.gateway)\thost.terrine\n")
        try put("empty", "")
        if !settings.certificates.isEmpty { try put("ca.crt", settings.certificates) }
        guard isOnline else { return try put("resolv.conf", "") }
        let resolvers = settings.services.loopbackResolver == nil ? settings.services.resolvers : [MachineNetwork.gateway]
        try put("resolv.conf", (resolvers.map { "nameserver \($0)" } + settings.resolverOptions).map { $0 + "\n" }.joined())
        if !settings.pip.sections.isEmpty { try put("pip.conf", settings.pip.text) }
        if !settings.apt.credentials.isEmpty { try put("auth.conf", settings.apt.credentials) }
        for (index, path) in settings.files.enumerated() {
            let ending = (path as NSString).pathExtension
            try put("files/\(index)" + (ending.isEmpty ? "" : "." + ending), readFile(path))
        }
    }

    private func put(_ name: String, _ text: String) throws { try put(name, Array(text.utf8)) }
    private func put(_ name: String, _ bytes: [UInt8]) throws {
        let path = "\(folder)/\(name)"
        let file = try Descriptor(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try check("set the mode of", path) { fchmod(file.raw, 0o644) }
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    }

    /// What must be mounted into the machine whose file system is `root`, in this order. Writes apt's configuration, which depends on what the image is.
    func binds(for root: RootedFolder) throws -> [Bind] {
        var binds = [Bind(source: folder, target: HostSettings.inMachine, readOnly: true)]
        for name in ["resolv.conf", "hosts", "hostname"] {
            if let target = try place("/etc/\(name)", in: root) { binds.append(Bind(source: "\(folder)/\(name)", target: target, readOnly: true)) }
        }
        guard isOnline else { return binds }
        for (index, path) in settings.folders.enumerated() { binds.append(Bind(source: path, target: "/dev/terrine/folders/\(index)", readOnly: true)) }
        var lines = settings.apt.settings.map { "\($0.name) \"\($0.value)\";" }
        if !settings.certificates.isEmpty { lines.append("Acquire::https::CaInfo \"\(HostSettings.inMachine)/ca.crt\";") }
        if !settings.apt.credentials.isEmpty { lines.append("Dir::Etc::netrc \"\(HostSettings.inMachine)/auth.conf\";") }
        // Without the file it is some other system.
        let release = (try? root.read("/etc/os-release", limit: 65536)).map { HostSettings.release(String(decoding: $0, as: UTF8.self)) }
        if !settings.apt.sources.isEmpty, !settings.release.isEmpty, release == settings.release {
            // This host's archives in the place of the distribution's own; what a recipe has added beside them stays.
            let (own, hasSources) = try defaultSources(in: root)
            let sources = settings.apt.sources.map { source in
                var source = source
                if hasSources, source["Types"] == "deb" { source["Types"] = "deb deb-src" }
                return source
            }
            try put("archives.sources", sources.map(\.text).joined(separator: "\n"))
            lines.append("Dir::Etc::sourcelist \"\(HostSettings.inMachine)/archives.sources\";")
            binds += own.map { Bind(source: folder + "/empty", target: $0, readOnly: true) }
        }
        try put("apt.conf", lines.map { $0 + "\n" }.joined())
        return binds
    }

    /// The files in `sources.list.d` that are the distribution's own, and whether they or `sources.list` name source packages.
    private func defaultSources(in root: RootedFolder) throws -> (files: [String], withSources: Bool) {
        var found: [String] = []
        var text = ""
        for path in ["/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list.d/ubuntu.sources"] {
            guard let status = try root.attributes(path), status.st_mode & S_IFMT == S_IFREG else { continue }
            text += String(decoding: try root.read(path, limit: 1 << 20), as: UTF8.self)
            if path.hasSuffix(".sources") { found.append(path) }
        }
        return (found, text.split(separator: "\n").contains { !$0.hasPrefix("#") && $0.contains("deb-src") })
    }

    /// Where a file that covers `path` is to be mounted: on a file that is there, its link followed; nil: nowhere.
    private func place(_ path: String, in root: RootedFolder) throws -> String? {
        guard let status = try root.attributes(path) else { return nil }
        if status.st_mode & S_IFMT == S_IFREG { return path }
        guard status.st_mode & S_IFMT == S_IFLNK else { return nil }
        let link = try root.readLink(path)
        let target = URL(fileURLWithPath: link, relativeTo: URL(fileURLWithPath: "/etc/")).standardized.path
        return try root.attributes(target).map { $0.st_mode & S_IFMT == S_IFREG } == true ? target : nil
    }
}
