import Foundation
import Images
import Recipes

/// The branch and the commit that a job is for.
public struct Revision: Sendable, Equatable {
    public var branch: String
    /// In full; nil outside a repository, and before its first commit.
    public var commit: String?

    public init(branch: String, commit: String?) { (self.branch, self.commit) = (branch, commit) }

    /// Looks at what was asked for, then at the variables of GitHub Actions and GitLab CI, then at the repository.
    ///
    /// The variables come first because these services check out a commit, not a branch.
    /// - Parameters:
    ///   - branch: as of `--branch`.
    ///   - folder: of the recipe; the repository is there or above.
    /// - Throws: ``ReportError`` `noBranch` when nobody says.
    public static func find(branch: String?, environment: [String: String], folder: String) throws -> Revision {
        let repository = try enclosingRepository(of: folder)
        let commit = try repository?.head() ?? given(environment, ["GITHUB_SHA", "CI_COMMIT_SHA"])
        // The branch that a pull or merge request comes from; what GitHub calls its ref then is `12/merge`.
        let names = ["GITHUB_HEAD_REF", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"]
        let head = try repository?.headRef().map { $0.hasPrefix("refs/heads/") ? String($0.dropFirst(11)) : $0 }
        guard let branch = branch ?? given(environment, names) ?? head, !branch.isEmpty else {
            throw ReportError(
                "noBranch", "it is not known which branch this is", cause: repository == nil ? "\(folder) is in no git repository" : "HEAD is at no branch",
                fix: "name it with --branch")
        }
        return Revision(branch: branch, commit: commit)
    }

    private static func given(_ environment: [String: String], _ names: [String]) -> String? {
        names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    }

    private static func enclosingRepository(of folder: String) throws -> GitRepository? {
        var url = URL(fileURLWithPath: folder).standardizedFileURL
        while true {
            if FileManager.default.fileExists(atPath: url.path + "/.git"), let found = try GitRepository(at: url.path) { return found }
            if url.path == "/" { return nil }
            url.deleteLastPathComponent()
        }
    }

    /// `NAME:branch-…`: what a branch's last good image is called.
    public static func reference(_ name: String, branch: String) -> String { "\(name):branch-\(slug(branch))" }

    /// `NAME:commit-…`, with the first twelve digits.
    public func commitReference(_ name: String) -> String? { commit.map { "\(name):commit-\($0.prefix(12))" } }

    /// A branch's name as a tag may have it: other characters become `-`. When more than `/` was lost, or when it was too long, eight hex digits at the end
    /// tell it from others.
    static func slug(_ branch: String) -> String {
        func isPlain(_ character: Character) -> Bool { character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character)) }
        let slug = String(branch.map { isPlain($0) ? $0 : "-" })
        let isLossless = branch.allSatisfy { isPlain($0) || $0 == "/" } && slug.count <= 100
        return isLossless ? slug : slug.prefix(90) + "-" + OwnLicense.shortDigest(branch)
    }
}
