import Builder
import Foundation
import Images
import Recipes
import Remotes
import Reports
import Trees

/// One recipe of a CI job: built, checked, named and compared.
struct CIJob {
    let images: ImageStore
    let global: GlobalOptions
    let recipe: Recipe
    let revision: Revision
    let fromBranch: String?
    /// Of several jobs each says whose lines these are.
    let isOneOfMany: Bool
    let reporter: any BuildReporter
    let caches: CacheOptions.Opened
    /// Of the key that signs the image.
    let signingKey: String?
    /// Where a good image goes, under tags of its own.
    let place: Remote?
    /// Where the branch's last image may be when it is not here.
    let lookingAt: [Remote]
    /// Builds on a foreign base.
    let trusts: Bool

    /// The image to compare with: here, or found elsewhere and not fetched yet. Of that its digest is known, whatever is sent to its tag meanwhile.
    private enum Previous {
        case here(name: String, Image)
        case there(name: String, Pull, Pull.Found)
    }

    struct Outcome: Sendable {
        let report: CIReport
        let error: (any Error)?
    }

    /// What fails is no error here, but what the report tells.
    ///
    /// - Parameters:
    ///   - build: builds the recipe with these options.
    ///   - finish: called with a good image, before it is compared; gives where its bill was written.
    func run(
        build: (any BuildReporter, (inout PlanRunner.Options) -> Void) throws -> BuildResult, finish: (Image) throws -> String?
    ) throws -> Outcome {
        let reference = Revision.reference(recipe.name, branch: revision.branch)
        // Before the build gives the name to what it makes.
        let previous = try previous(reference)
        let recorder = BuildRecorder(reporter)
        var report = CIReport(name: recipe.name, revision: revision)
        let start = ContinuousClock.now
        var failed: (any Error)?
        do {
            let result = try build(recorder) {
                ($0.reference, $0.signingKey, $0.trustsBase) = (reference, signingKey, trusts)
                caches.configure(&$0)
            }
            report.fetchedBytes = result.fetchedBytes
            report.images = [result.reference]
            if let name = revision.commitReference(recipe.name) {
                try images.tag(name, result.image)
                report.images.append(name)
            }
            report.digest = result.image.digest.description
            report.storedBytes = try images.inspect(result.image).storedBytes
            report.bill = try finish(result.image)
            // What the new image has of it already is not fetched.
            if let previous = previous.flatMap(fetch) { report.difference = try difference(since: previous, result.image) }
            if let place { report.pushed = try push(result.image, named: report.images, to: place) }
        } catch let error as BuildError where error.code == "cancelled" {
            throw error
        } catch {
            failed = error
            let parts = ErrorReport.parts(of: error)
            report.failure = CIReport.Failure(message: parts.message, cause: parts.cause, fix: parts.fix)
        }
        report.milliseconds = (ContinuousClock.now - start).milliseconds
        report.take(recorder, checks: recipe.checks.map(\.name))
        return Outcome(report: report, error: failed)
    }

    /// - Returns: the names that it has there.
    private func push(_ image: Image, named names: [String], to place: Remote) throws -> [String] {
        let progress = TransferLine(global, "sending", image: isOneOfMany ? recipe.name : nil)
        defer { progress.finish() }
        return try names.compactMap { $0.split(separator: ":").last }.map { tag in
            try Push(images: images, to: place.with(String(tag))) { progress.show($0) }.run(image).remote
        }
    }

    private func previous(_ reference: String) throws -> Previous? {
        let names = [reference] + (fromBranch.map { [Revision.reference(recipe.name, branch: $0)] } ?? [])
        for name in names {
            do { return .here(name: name, try images.resolve(name)) } catch let error as ImageError where error.code == "notFound" {
                if let found = find(name) { return found }
            }
        }
        return nil
    }

    /// On a runner that keeps nothing it is where the last job sent it.
    private func find(_ name: String) -> Previous? {
        let tag = name.split(separator: ":").last.map(String.init) ?? name
        for remote in lookingAt.map({ $0.with(tag) }) {
            do {
                let pull = Pull(images: images, from: remote)
                if let found = try pull.find() { return .there(name: remote.name.description, pull, found) }
            } catch { global.note("the branch's last image cannot be looked for at \(remote.name): \(error)") }
        }
        return nil
    }

    /// A page without its comparison is better than none: what cannot be fetched is told.
    private func fetch(_ previous: Previous) -> (name: String, image: Image)? {
        switch previous {
        case .here(let name, let image): return (name, image)
        case .there(let name, let pull, let found):
            do { return (name, try pull.accept(found)) } catch {
                global.note("\(name) cannot be fetched to compare with: \(error)")
                return nil
            }
        }
    }

    private func difference(since previous: (name: String, image: Image), _ image: Image) throws -> CIReport.Difference {
        if previous.image.layers == image.layers { return CIReport.Difference(since: previous.name, packages: [], files: []) }
        let (old, new) = (try previous.image.tree(in: images), try image.tree(in: images))
        return CIReport.Difference(
            since: previous.name, packages: try PackageDifference(from: PackageInventory(old), to: PackageInventory(new)).entries,
            files: try TreeDifference(from: old, to: new).entries.map { entry in
                let change: CIReport.FileChange.Change =
                    switch entry.change {
                    case .added: .added
                    case .removed: .removed
                    case .changed: .changed
                    }
                return CIReport.FileChange(path: entry.path, change: change, oldBytes: entry.oldBytes, newBytes: entry.newBytes)
            })
    }
}
