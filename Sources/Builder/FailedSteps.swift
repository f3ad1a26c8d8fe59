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

    /// The step of this recipe that failed last, and the disk that it left; nil when its last build went well.
    ///
    /// - Parameter folder: of the recipe, absolute.
    public func latest(_ folder: String) throws -> (step: FailedStep, image: Image)? {
        guard let bytes = FileManager.default.contents(atPath: path(folder)) else { return nil }
        let step: FailedStep
        do {
            step = try JSONDecoder().decode(FailedStep.self, from: bytes)
        } catch {
            throw BuildError("corrupt", "\(path(folder)) is not the record of a failed step", cause: "\(error)", fix: "remove it and build again")
        }
        guard let digest = Digest(step.image) else { throw BuildError("corrupt", "\(path(folder)) names no image", fix: "remove it and build again") }
        return (step, try images.image(digest))
    }

    /// As ``latest(_:)``, for a command: nothing failed is an error.
    public func required(_ folder: String) throws -> (step: FailedStep, image: Image) {
        if let found = try latest(folder) { return found }
        throw BuildError("notFound", "no step of \(folder) failed in its last build", fix: "build it: `terrine build \(folder)`")
    }

    func keep(_ step: FailedStep, image: Image) throws {
        try FileManager.default.createDirectory(atPath: images.home + "/failed", withIntermediateDirectories: true)
        try images.pin(owner(step.folder), [image.digest])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try replaceFile(path(step.folder), with: Array(try encoder.encode(step)))
    }

    /// The recipe builds now: what had failed is of no use any more.
    func clear(_ folder: String) throws {
        // A build that changes nothing touches nothing.
        guard access(path(folder), F_OK) == 0 else { return }
        try check("remove", path(folder)) { unlink(path(folder)) }
        try images.unpin(owner(folder))
    }

    private func name(_ folder: String) -> String { String(Digest.of(text: folder).hex.prefix(16)) }
    private func owner(_ folder: String) -> String { "failed-\(name(folder))" }
    private func path(_ folder: String) -> String { "\(images.home)/failed/\(name(folder)).json" }
}
