import Linux
import Recipes
import Synchronization

/// A repository's folder on this host, as far as it is looked at: bounded, and only ever read.
///
/// It may be a stranger's. Nothing of it is run, no link is followed out of it, and what goes beyond a limit is left out and said in ``notes``.
public final class Repository: Sendable {
    /// What is looked at, at most.
    public struct Limits: Sendable {
        public var files = 20_000
        /// Folders below the root.
        public var depth = 12
        /// Of one file that is read, in bytes.
        public var fileSize = 1 << 20
        /// Of all files that are read, in bytes.
        public var total = 64 << 20

        public init() {}
    }

    public struct File: Hashable, Sendable {
        /// From the root, with `/`.
        public let path: String
        /// In bytes.
        public let size: Int
        public let isExecutable: Bool
    }

    /// Absolute.
    public let root: String
    /// In the order of their paths' bytes; neither links, nor what `.gitignore` leaves out, nor other people's code that lies in it.
    public let files: [File]
    /// What the limits left out.
    public var notes: [Note] { walkNotes + read.withLock { $0.notes } }

    private let walkNotes: [Note]
    private let folder: RootedFolder
    private let limits: Limits
    private let byPath: [String: File]
    /// Of each file, for globs.
    private let names: [[[UInt8]]]
    /// Which files lie in a folder itself.
    private let inFolder: [String: [Int]]
    private let found = Mutex<[String: [File]]>([:])
    private let read = Mutex(Reading())

    private struct Reading {
        var texts: [String: SourceText] = [:]
        var failed: Set<String> = []
        var total = 0
        var notes: [Note] = []
    }

    /// - Throws: ``AutoinstallError`` `notFound` when there is no such folder.
    public init(root: String, limits: Limits = Limits()) throws {
        do { folder = try RootedFolder(root) } catch {
            throw AutoinstallError("notFound", "cannot open the repository \(root)", cause: "\(error)", fix: "name a folder")
        }
        (self.root, self.limits) = (root, limits)
        var walk = RepositoryWalk(folder: folder, limits: limits)
        try walk.run()
        (files, walkNotes) = (walk.files, walk.notes)
        byPath = Dictionary(files.map { ($0.path, $0) }) { first, _ in first }
        names = files.map { $0.path.split(separator: "/").map { Array($0.utf8) } }
        inFolder = Dictionary(grouping: files.indices) { [files] index in
            let path = files[index].path
            return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        }
    }

    public func contains(_ path: String) -> Bool { byPath[path] != nil }

    /// The files that a glob names, in order of path. One without `/` is looked for in the folder itself.
    func files(matching glob: String, in folder: String = "") -> [File] {
        let pattern = GlobPattern(glob)
        let prefix = folder.isEmpty ? "" : folder + "/"
        if pattern.isLiteral { return byPath[prefix + glob].map { [$0] } ?? [] }
        let key = prefix + "\u{0}" + glob
        if let known = found.withLock({ $0[key] }) { return known }
        let depth = folder.isEmpty ? 0 : folder.utf8.count { $0 == UInt8(ascii: "/") } + 1
        let candidates = glob.contains("/") ? Array(range(below: prefix)) : inFolder[folder] ?? []
        let files = candidates.filter { pattern.matches(names[$0].dropFirst(depth)) }.map { self.files[$0] }
        found.withLock { $0[key] = files }
        return files
    }

    /// The files whose paths begin with `prefix`: they stand together.
    private func range(below prefix: String) -> Range<Int> {
        if prefix.isEmpty { return files.indices }
        func first(_ isPast: (Substring.UTF8View) -> Bool) -> Int {
            var (low, high) = (0, files.count)
            while low < high {
                let middle = (low + high) / 2
                if isPast(files[middle].path[...].utf8) { high = middle } else { low = middle + 1 }
            }
            return low
        }
        let start = first { !$0.lexicographicallyPrecedes(prefix.utf8) }
        let end = first { !$0.starts(with: prefix.utf8) && !$0.lexicographicallyPrecedes(prefix.utf8) }
        return start..<max(start, end)
    }

    /// A file's text; nil when it is not there, not text, or beyond the limits.
    public func text(_ path: String) -> SourceText? {
        guard let file = byPath[path] else { return nil }
        return read.withLock { read in
            if let text = read.texts[path] { return text }
            if read.failed.contains(path) { return nil }
            func fail(_ why: String?) -> SourceText? {
                read.failed.insert(path)
                if let why { read.notes.append(Note("not read: \(why)", Evidence(file: path))) }
                return nil
            }
            if file.size > limits.fileSize { return fail("larger than \(limits.fileSize / 1024) KiB") }
            if read.total + file.size > limits.total { return fail("enough was read already") }
            let bytes: [UInt8]
            do { bytes = try folder.read(path, limit: limits.fileSize) } catch { return fail("\(error)") }
            read.total += bytes.count
            // What git takes for binary: a zero byte near its beginning.
            if bytes.prefix(8000).contains(0) { return fail(nil) }
            let text = SourceText(path: path, bytes: bytes)
            read.texts[path] = text
            return text
        }
    }
}
