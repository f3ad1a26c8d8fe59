import Foundation
import Synchronization

/// A file of the workspace as it was found: not read yet.
public struct WorkspaceFile: Hashable, Sendable {
    public enum Kind: String, Sendable { case file, link }
    /// From the workspace's root.
    public let path: String
    public let kind: Kind
    /// 0755 or 0644 for a file, 0777 for a link.
    public let mode: UInt32
    public let size: Int64
}

/// The folder that a recipe is for: its files less what `.gitignore` and `.terrineignore` leave out.
///
/// `.git` is never among them; links are kept as links; sockets, pipes and devices are passed over. The folder is
/// walked once, when first asked.
public final class Workspace: Sendable {
    /// Absolute.
    public let root: String
    private let found = Mutex<[WorkspaceFile]?>(nil)

    public init(root: String) throws {
        self.root = HostPath.absolute(root)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: self.root, isDirectory: &isFolder), isFolder.boolValue else {
            throw RecipeError("notFound", "the workspace \(self.root) is not a folder", fix: "correct `workspace.from`")
        }
    }

    /// Every file, in the order of their paths' bytes.
    public func files() throws -> [WorkspaceFile] {
        try found.withLock { found in
            if let found { return found }
            let files = try WorkspaceWalk(root: root, honoursIgnoreFiles: true).files()
            found = files
            return files
        }
    }

    /// The files that `globs` name, in order of path; a later `!glob` takes away.
    ///
    /// - Returns: the files, and the indices of globs that match nothing.
    public func select(_ globs: [String]) throws -> (files: [WorkspaceFile], unmatched: [Int]) {
        let patterns = globs.map {
            (glob: GlobPattern($0.hasPrefix("!") ? $0.dropFirst() : $0[...]), isNegated: $0.hasPrefix("!"))
        }
        var isMatched = Array(repeating: false, count: globs.count)
        let files = try files().filter { file in
            let names = file.path.split(separator: "/").map { Array($0.utf8) }
            var isIn = false
            for (index, pattern) in patterns.enumerated() {
                guard pattern.glob.isRoot || pattern.glob.selects(names) else { continue }
                isMatched[index] = true
                isIn = !pattern.isNegated
            }
            return isIn
        }
        // An exclusion that excludes nothing is no mistake worth stopping for.
        return (files, isMatched.indices.filter { !isMatched[$0] && !patterns[$0].isNegated })
    }
}
