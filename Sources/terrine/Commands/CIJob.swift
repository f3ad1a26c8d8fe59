import Builder
import Foundation
import Images
import Recipes
import Reports

/// One recipe of a CI job: built, checked and named.
struct CIJob {
    let images: ImageStore
    let global: GlobalOptions
    let recipe: Recipe
    let revision: Revision
    let progress: Build.ProgressStyle?

    /// What fails is no error here, but what the report tells.
    func run() throws -> (report: CIReport, error: (any Error)?) {
        let reference = Revision.reference(recipe.name, branch: revision.branch)
        let recorder = BuildRecorder(RecipeBuild.reporter(progress, global, showsCached: true))
        var report = CIReport(name: recipe.name, revision: revision)
        let start = ContinuousClock.now
        var failed: (any Error)?
        do {
            let result = try RecipeBuild.run(recipe, images: images, global: global, reporter: recorder) { $0.reference = reference }
            report.images = [result.reference]
            if let name = revision.commitReference(recipe.name) {
                try images.tag(name, result.image)
                report.images.append(name)
            }
            report.digest = result.image.digest.description
            report.storedBytes = try images.inspect(result.image).storedBytes
        } catch let error as BuildError where error.code == "cancelled" {
            throw error
        } catch {
            failed = error
            let parts = ErrorReport.parts(of: error)
            report.failure = CIReport.Failure(message: parts.message, cause: parts.cause, fix: parts.fix)
        }
        report.milliseconds = (ContinuousClock.now - start).milliseconds
        report.take(recorder, checks: recipe.checks.map(\.name))
        return (report, failed)
    }
}
