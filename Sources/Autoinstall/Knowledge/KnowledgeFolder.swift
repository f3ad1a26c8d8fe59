import Foundation
import Linux

/// Indices of packages below TERRINE_HOME, a file for each suite and architecture: made when they are missed, damaged or old.
public struct KnowledgeFolder: Sendable {
    /// `TERRINE_HOME/knowledge`.
    public let path: String
    /// What stands longer is made anew.
    public let maximumAge: Duration
    /// Lines of sources.list in the place of the host's, for an archive that is no suite of Debian's.
    var ownSources: [String]?

    public init(home: String, maximumAge: Duration = .seconds(14 * 86400)) { (path, self.maximumAge) = (home + "/knowledge", maximumAge) }

    public func file(suite: String, architecture: String) -> String { "\(path)/\(suite)-\(architecture).idx" }

    /// The index of a suite, made first if need be.
    ///
    /// - Parameters:
    ///   - suite: such as `bookworm`.
    ///   - architecture: in Debian's words.
    ///   - refreshing: makes it anew whatever its age.
    ///   - log: is told what takes long, and what went wrong without being in the way.
    /// - Throws: ``AutoinstallError`` when there is none and none can be made.
    public func open(suite: String, architecture: String, refreshing: Bool = false, log: (String) -> Void = { _ in }) throws -> KnowledgeIndex {
        guard Self.isName(suite), Self.isName(architecture) else {
            throw AutoinstallError("badName", "`\(suite)-\(architecture)` is no suite and architecture")
        }
        let path = file(suite: suite, architecture: architecture)
        let known = usable(path, log)
        if let known, !refreshing, isFresh(known) { return known }
        do {
            try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // Several that miss it make it once.
            let lock = try FileLock(path + ".lock")
            return try withExtendedLifetime(lock) {
                if let other = usable(path, { _ in }), other.made > known?.made ?? 0, isFresh(other) { return other }
                try make(suite, architecture, path, log)
                return try KnowledgeIndex(path: path)
            }
        } catch {
            // An old index is worth more than none.
            guard let known else { throw error }
            log("the index of \(suite) stays as it is: \(error)")
            return known
        }
    }

    private static func isName(_ text: String) -> Bool { !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") } }

    private func isFresh(_ index: KnowledgeIndex) -> Bool {
        let age = Date().timeIntervalSince1970 - Double(index.made)
        return age >= 0 && age < Double(maximumAge.components.seconds)
    }

    private func usable(_ path: String, _ log: (String) -> Void) -> KnowledgeIndex? {
        do { return try KnowledgeIndex(path: path) } catch let damage as KnowledgeIndex.Damage { log("\(path): \(damage); making it anew") } catch {
            // It is not there yet, or cannot be opened: the next step tells the one from the other.
        }
        return nil
    }

    private func make(_ suite: String, _ architecture: String, _ path: String, _ log: (String) -> Void) throws {
        log("fetching the package indices of \(suite)")
        let scratch = "\(self.path)/fetch-\(UUID().uuidString.prefix(8))"
        // What cannot be removed now costs space, and nothing else.
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let files = try AptIndices(suite: suite, architecture: architecture, folder: scratch, ownSources: ownSources).fetch()
        log("indexing what packages of \(suite) hold")
        var writer = KnowledgeWriter()
        let reader = ContentsReader(architecture: architecture)
        for file in files.contents { try reader.read(file: file, into: &writer) }
        var uses = PackageUses()
        for file in files.packages { try AptProgram.lines(of: file) { uses.read($0) } }
        try replaceFile(path, with: writer.finish(made: UInt64(Date().timeIntervalSince1970), uses: uses.counts()), mode: 0o644)
    }
}
