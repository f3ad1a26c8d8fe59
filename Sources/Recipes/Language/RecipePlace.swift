/// Where a recipe or a fragment lies: a file of this host, or a file in an image.
enum RecipePlace: Hashable {
    /// - Parameters:
    ///   - path: absolute.
    ///   - shown: as the user would write it from where they stand.
    case host(path: String, shown: String)
    /// - Parameter path: absolute, in the image.
    case image(name: String, path: String)

    /// For diagnostics.
    var shown: String {
        switch self {
        case .host(_, let shown): shown
        case .image(let name, let path): "\(name):\(path)"
        }
    }

    /// A file that this one names, in the same image.
    func sibling(_ path: String) -> RecipePlace? {
        guard case .image(let name, let own) = self else { return nil }
        return .image(name: name, path: HostPath.join(HostPath.parent(own), path))
    }

    /// `path` as seen from where `file` is named from, such as `work/ci/db.yaml` for `ci/db.yaml` in `work/terrine.yaml`.
    static func shown(_ path: String, beside file: String) -> String {
        var parts = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().map(String.init)
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != "..", last != "" { parts.removeLast() } else { parts.append(String(part)) }
        }
        return parts.joined(separator: "/")
    }

    /// One file is one place, however it is named.
    static func == (a: RecipePlace, b: RecipePlace) -> Bool { a.identity == b.identity }
    func hash(into hasher: inout Hasher) { hasher.combine(identity) }

    private var identity: String {
        switch self {
        case .host(let path, _): HostPath.real(path)
        case .image(let name, let path): "\(name)\u{0}\(path)"
        }
    }
}

/// Images as recipes see them: a place where fragments and recipes can be read. Whoever knows a store has one.
public protocol RecipeImages: Sendable {
    /// The bytes of a file in an image, links in it followed; nothing is mounted, and nothing of the image is run.
    ///
    /// - Parameters:
    ///   - path: absolute, in the image.
    ///   - image: a local image by `name[:tag]` or `sha256:…`.
    func file(_ path: String, ofImage image: String) throws -> [UInt8]
    /// The folder of the workspace in an image, absolute: its recipe lies there.
    func workspace(ofImage image: String) throws -> String
}
