import Foundation

/// Exact versions and hashes of everything that a recipe's images were made from: `terrine.lock`, beside the recipe.
///
/// Made by a build, committed with the recipe, and used when it is there. One spelling for one content, so that a review shows what changed.
public struct TerrineLock: Equatable, Sendable {
    public static let fileName = "terrine.lock"

    /// What one manager, or a base, came to.
    public struct Resolution: Equatable, Sendable {
        /// SHA-256 in hex of what was asked for; for anything else the entry does not count.
        public var asked: String
        /// A package a line: name, version, hash.
        public var packages: [String]
        /// SHA-256 of each package index it was found in; for bases.
        public var indices: [String]

        public init(asked: String, packages: [String], indices: [String] = []) { (self.asked, self.packages, self.indices) = (asked, packages, indices) }
    }

    public struct Commit: Equatable, Sendable {
        public var url: String
        public var ref: String
        public var commit: String

        public init(url: String, ref: String, commit: String) { (self.url, self.ref, self.commit) = (url, ref, commit) }
    }

    /// What is locked for one image on one architecture.
    public struct Entry: Equatable, Sendable {
        public var base: Resolution?
        /// By manager. One that has a lock file of its own has that file's digest in `asked`, and no packages.
        public var packages: [String: Resolution] = [:]
        /// By path in the machine.
        public var repositories: [String: Commit] = [:]

        public init() {}
        public var isEmpty: Bool { self == Entry() }
    }

    /// By the image's name, then by architecture: a matrix has several, and so has a team with several kinds of machine.
    public var images: [String: [String: Entry]] = [:]

    public init() {}

    public subscript(image: String, architecture: String) -> Entry {
        get { images[image]?[architecture] ?? Entry() }
        set { images[image, default: [:]][architecture] = newValue.isEmpty ? nil : newValue }
    }

    /// Where a recipe's lock is: `terrine.lock` for `terrine.yaml`, `x.lock` for `x.yaml`.
    public static func path(for recipe: Recipe) -> String {
        let name = HostPath.name(HostPath.absolute(recipe.file))
        let stem = name.contains(".") ? String(name[..<(name.lastIndex(of: ".") ?? name.endIndex)]) : name
        let isMore = HostPath.name(HostPath.parent(HostPath.absolute(recipe.file))) == Recipe.folderName
        return HostPath.join(recipe.folder, (isMore ? Recipe.folderName + "/" : "") + stem + ".lock")
    }

    /// The lock at `path`; nil when there is none.
    ///
    /// - Throws: ``RecipeDiagnostics`` for one that cannot be used, such as one with a merge's conflict in it.
    public static func load(_ path: String) throws -> TerrineLock? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw RecipeError("unreadable", "cannot read \(path)", fix: "check its permissions, or remove it: a build makes it anew")
        }
        return try parse(String(decoding: bytes, as: UTF8.self), file: path)
    }

    // MARK: Text

    /// The file's text: sorted, a package a line.
    public var text: String {
        var out = "# Made by terrine: what this recipe's images are made from, exactly. Commit it; `terrine build --update` renews it.\nversion: 1\nimages:\n"
        func line(_ depth: Int, _ text: String) { out += String(repeating: "  ", count: depth) + text + "\n" }
        func resolution(_ depth: Int, _ value: Resolution) {
            line(depth, "asked: \(value.asked)")
            if !value.indices.isEmpty { line(depth, "indices:") }
            for index in value.indices { line(depth, "- \(index)") }
            if !value.packages.isEmpty { line(depth, "packages:") }
            for package in value.packages { line(depth, "- " + Self.quoted(package)) }
        }
        for (name, architectures) in images.sorted(by: { $0.key < $1.key }) where !architectures.isEmpty {
            line(1, "\(name):")
            for (architecture, entry) in architectures.sorted(by: { $0.key < $1.key }) {
                line(2, "\(architecture):")
                if let base = entry.base {
                    line(3, "base:")
                    resolution(4, base)
                }
                if !entry.packages.isEmpty { line(3, "packages:") }
                for (manager, value) in entry.packages.sorted(by: { $0.key < $1.key }) {
                    line(4, "\(manager):")
                    resolution(5, value)
                }
                if !entry.repositories.isEmpty { line(3, "repositories:") }
                for (path, value) in entry.repositories.sorted(by: { $0.key < $1.key }) {
                    line(4, "\(Self.quoted(path)):")
                    line(5, "url: \(Self.quoted(value.url))")
                    line(5, "ref: \(Self.quoted(value.ref))")
                    line(5, "commit: \(value.commit)")
                }
            }
        }
        return out
    }

    /// As YAML's plain text where that is safe, else in double quotes.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.wholeMatch(of: /[A-Za-z0-9\/.][A-Za-z0-9 \/.:+_~=@%-]*/) != nil && !text.contains(": ") && !text.hasSuffix(":")
        return isPlain ? text : CanonicalJSON.string(text)
    }
}
