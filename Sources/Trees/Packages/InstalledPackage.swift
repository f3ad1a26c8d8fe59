/// A piece of software that is installed on a disk, as its own manager has written it down.
public struct InstalledPackage: Hashable, Sendable {
    /// Who keeps it; the raw value is the type of its package URL.
    public enum Ecosystem: String, Sendable, CaseIterable, Codable {
        case debian = "deb"
        case python = "pypi"
        case node = "npm"
        case rust = "cargo"
        case go = "golang"
    }

    public var ecosystem: Ecosystem
    public var name: String
    public var version: String
    /// As its manager calls it, such as `amd64`; nil where packages are for any.
    public var architecture: String?
    /// What it was built from, where that has another name or version.
    public var source: Source?
    /// `Name <mail@example.com>`, or a name alone: who maintains it.
    public var maintainer: String?
    public var homepage: String?
    /// Under which it says it may be used.
    public var licenses: [DeclaredLicense] = []
    /// Names of packages of the same ecosystem that it needs; each is one of those in a list, in order of preference.
    public var dependencies: [[String]] = []
    /// Other names that it answers to.
    public var provides: [String] = []
    /// Hex digests of what it was installed from, by algorithm (`sha256`, `sha512`).
    public var checksums: [String: String] = [:]
    /// The file that tells of it, from the disk's root and without a leading `/`.
    public var path: String

    public struct Source: Hashable, Sendable {
        public var name: String
        public var version: String

        public init(name: String, version: String) { (self.name, self.version) = (name, version) }
    }

    public init(_ ecosystem: Ecosystem, name: String, version: String, path: String) {
        (self.ecosystem, self.name, self.version, self.path) = (ecosystem, name, version, path)
    }
}

/// A licence as a package names it: not yet one of any list.
public struct DeclaredLicense: Hashable, Sendable {
    /// How the words of ``expression`` are meant.
    public enum Notation: Sendable { case spdx, debian, free }

    public var expression: String
    public var notation: Notation
    /// The licence's text, where the package brings it.
    public var text: String

    public init(_ expression: String, _ notation: Notation, text: String = "") { (self.expression, self.notation, self.text) = (expression, notation, text) }
}
