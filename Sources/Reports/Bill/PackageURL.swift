import Trees

/// A package URL: https://github.com/package-url/purl-spec
enum PackageURL {
    /// Letters and digits of ASCII, and `.-_~:`; all else is percent-encoded.
    static func encoded(_ text: some StringProtocol) -> String {
        text.utf8.map { byte in
            let scalar = UnicodeScalar(byte)
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
            let isPlain = isLetter || ("0"..."9").contains(scalar) || ".-_~:".unicodeScalars.contains(scalar)
            if isPlain { return String(scalar) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count < 2 ? "0" : "") + digits
        }.joined()
    }

    static func make(_ type: String, _ path: [String], version: String?, _ qualifiers: [(String, String?)] = []) -> String {
        let given = qualifiers.compactMap { name, value in
            value.map { "\(name)=" + $0.split(separator: "/", omittingEmptySubsequences: false).map(encoded).joined(separator: "/") }
        }.sorted()
        return "pkg:\(type)/" + path.map { encoded($0) }.joined(separator: "/") + (version.map { "@" + encoded($0) } ?? "")
            + (given.isEmpty ? "" : "?" + given.joined(separator: "&"))
    }

    /// - Parameter system: the distribution, which names the space of Debian's packages.
    static func of(_ package: InstalledPackage, system: SystemRelease?) -> String {
        switch package.ecosystem {
        case .debian:
            let upstream = package.source.map { $0.version == package.version ? $0.name : "\($0.name)@\($0.version)" }
            let distribution = system.map { $0.id + ($0.version.map { "-" + $0 } ?? "") }
            return make(
                "deb", [system?.id ?? "debian", package.name.lowercased()], version: package.version,
                [("arch", package.architecture), ("distro", distribution), ("upstream", upstream)])
        case .python: return make("pypi", [PackageInventory.normalPythonName(package.name)], version: package.version)
        case .node: return make("npm", package.name.split(separator: "/").map { $0.lowercased() }, version: package.version)
        case .rust: return make("cargo", [package.name], version: package.version)
        case .go: return make("golang", package.name.lowercased().split(separator: "/").map(String.init), version: package.version)
        }
    }

    static func of(_ checkout: SourceCheckout) -> String {
        make("generic", [checkout.name], version: checkout.commit, [("vcs_url", checkout.address)])
    }
}

extension SourceCheckout {
    /// The folder's, or the disk's when that is its root.
    var name: String { path.split(separator: "/").last.map(String.init) ?? "root" }

    /// `git+https://…@commit`; nil when it was cloned from a path of some host.
    var address: String? {
        guard let url, url.wholeMatch(of: /(https?|ssh|git):\/\/[A-Za-z0-9]+(?:[-.][A-Za-z0-9]+)*\.[A-Za-z]{2,}(:[0-9]+)?\/[^\s#@]+/) != nil else { return nil }
        return "git+\(url)@\(commit)"
    }
}
