import Trees

/// What one job found out about one recipe: what the reports are written from.
public struct CIReport: Sendable {
    public struct Step: Sendable, Equatable {
        /// `pending`: a step before it failed.
        public enum Outcome: String, Sendable { case pending, cached, done, failed }

        public var name: String
        public var outcome = Outcome.pending
        /// Why it ran.
        public var reason: String?
        public var milliseconds = 0
        public var changedBytes: Int64?
        public var output = KeptOutput()
    }

    public struct Check: Sendable, Equatable {
        /// `known`: it passed before, on this very image; `pending`: there was no image to check.
        public enum Outcome: String, Sendable { case pending, known, passed, failed }

        public var name: String
        public var outcome = Outcome.pending
        public var problem: String?
        public var milliseconds = 0
        public var output = KeptOutput()
    }

    public struct Failure: Sendable, Equatable {
        public var message: String
        public var cause: String?
        public var fix: String?

        public init(message: String, cause: String?, fix: String?) { (self.message, self.cause, self.fix) = (message, cause, fix) }
    }

    /// A file that is not as it was; nil sizes where there was none.
    public struct FileChange: Codable, Sendable, Equatable {
        public enum Change: String, Codable, Sendable { case added, changed, removed }

        public var path: String
        public var change: Change
        public var oldBytes: Int64?
        public var newBytes: Int64?

        public init(path: String, change: Change, oldBytes: Int64?, newBytes: Int64?) {
            (self.path, self.change, self.oldBytes, self.newBytes) = (path, change, oldBytes, newBytes)
        }
    }

    public struct Difference: Sendable {
        /// The name of the image that this one is compared with.
        public var since: String
        public var packages: [PackageDifference.Entry]
        public var files: [FileChange]

        public init(since: String, packages: [PackageDifference.Entry], files: [FileChange]) {
            (self.since, self.packages, self.files) = (since, packages, files)
        }
    }

    /// The recipe's.
    public var name: String
    public var revision: Revision
    public var steps: [Step] = []
    public var checks: [Check] = []
    public var failure: Failure?
    /// Names of the image, if there is one.
    public var images: [String] = []
    /// Where it was sent, with tags.
    public var pushed: [String] = []
    /// From caches elsewhere.
    public var fetchedBytes: Int64 = 0
    /// `sha256:…`
    public var digest: String?
    public var storedBytes: Int64?
    /// Nil when there is no image to compare with.
    public var difference: Difference?
    /// Where the bill of materials was written.
    public var bill: String?
    public var milliseconds = 0

    public init(name: String, revision: Revision) { (self.name, self.revision) = (name, revision) }

    public var isGood: Bool { failure == nil }

    /// Takes over what a build told. Checks that did not run passed before, if the build was good.
    ///
    /// - Parameter all: names of the recipe's checks.
    public mutating func take(_ recorder: BuildRecorder, checks all: [String]) {
        steps = recorder.steps
        let ran = recorder.checks
        checks = all.map { name in ran.last { $0.name == name } ?? Check(name: name, outcome: failure == nil ? .known : .pending) }
    }
}
