import ChunkStore
import Foundation
import Glibc
import Images
import Linux
import Recipes

/// A step that failed, and the disk as it was then: what `terrine shell --failed` opens.
public struct FailedStep: Codable, Sendable, Equatable {
    /// The recipe's folder, absolute.
    public var folder: String
    /// The recipe's name: one folder may have several.
    public var recipe: String
    /// As people see it, such as `compile` or `check tests`.
    public var step: String
    /// The disk when it failed, `sha256:…`.
    public var image: String
    public var script: String
    public var environment: [String: String]
    public var user: String
    public var workingFolder: String
    /// What it ended with; nil when it ran out of time.
    public var exitCode: Int32?
    /// The last lines that it printed.
    public var output: [String]
    /// Seconds since 1970.
    public var time: Double
}

/// The last failed step of each recipe, in `TERRINE_HOME/failed`: a small file, and a pin on the image.
public struct FailedSteps: Sendable {
    private let images: ImageStore

    public init(images: ImageStore) { self.images = images }

    /// The step that failed last of the recipes of this folder, and the disk that it left; nil when their last builds went well.
    ///
    /// - Parameter folder: of the recipes, absolute.
    public func latest(_ folder: String) throws -> (step: FailedStep, image: Image)? {
        let prefix = hash(folder) + "-"
        // Before the first failure there is no such folder.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: images.home + "/failed")) ?? []
        var last: (step: FailedStep, digest: Digest)?
        for path in names.filter({ $0.hasPrefix(prefix) && $0.hasSuffix(".json") }).map({ "\(images.home)/failed/\($0)" }) {
            // One that goes meanwhile belongs to a build that went well.
            guard let bytes = FileManager.default.contents(atPath: path) else { continue }
            let step: FailedStep
            do {
                step = try JSONDecoder().decode(FailedStep.self, from: bytes)
            } catch {
                throw BuildError("corrupt", "\(path) is not the record of a failed step", cause: "\(error)", fix: "remove it and build again")
            }
            guard let digest = Digest(step.image) else { throw BuildError("corrupt", "\(path) names no image", fix: "remove it and build again") }
            if last.map({ $0.step.time < step.time }) ?? true { last = (step, digest) }
        }
        return try last.map { ($0.step, try images.image($0.digest)) }
    }

    /// As ``latest(_:)``, for a command: nothing failed is an error.
    public func required(_ folder: String) throws -> (step: FailedStep, image: Image) {
        if let found = try latest(folder) { return found }
        throw BuildError("notFound", "no step of \(folder) failed in its last build", fix: "build it: `terrine build \(folder)`")
    }

    func keep(_ step: FailedStep, image: Image) throws {
        try FileManager.default.createDirectory(atPath: images.home + "/failed", withIntermediateDirectories: true)
        try images.pin(owner(step.folder, step.recipe), [image.digest])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try replaceFile(path(step.folder, step.recipe), with: Array(try encoder.encode(step)))
    }

    /// The recipe builds now: what had failed is of no use any more.
    func clear(_ folder: String, _ recipe: String) throws {
        let path = path(folder, recipe)
        // A build that changes nothing touches nothing.
        guard access(path, F_OK) == 0 else { return }
        try check("remove", path) { unlink(path) }
        try images.unpin(owner(folder, recipe))
    }

    private func hash(_ text: String) -> String { String(Digest.of(text: text).hex.prefix(16)) }
    private func owner(_ folder: String, _ recipe: String) -> String { "failed-\(hash(folder))-\(hash(recipe))" }
    private func path(_ folder: String, _ recipe: String) -> String { "\(images.home)/failed/\(hash(folder))-\(hash(recipe)).json" }
}
