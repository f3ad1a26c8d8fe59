import ChunkStore
import Foundation
import GRDB

extension ImageStore {
    private struct Record: Hashable {
        var recipe: String
        var step: String
        var text: String

        /// The image that it speaks of, if it names one.
        var image: String? {
            // What cannot be read names nothing.
            (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)))?["image"]
        }
    }

    /// Forgets what was noted of images that are gone, and how the steps of recipes were made of which neither a cached step nor a build is here any more.
    func collectRecords() throws {
        // First the records: what one of them speaks of was there before it was noted.
        let records = try chunks.index.read { try Row.fetchAll($0, sql: "SELECT recipe, step, record FROM records") }
            .map { Record(recipe: $0["recipe"], step: $0["step"], text: $0["record"]) }
        let images = Set(try allImages().map(\.description))
        let cached = Set(try chunks.index.read { try String.fetchAll($0, sql: "SELECT DISTINCT recipe FROM cache") })
        var isLive: [String: Bool] = [:]
        func hasSomething(_ recipe: String) throws -> Bool {
            if let known = isLive[recipe] { return known }
            let known = try cached.contains(recipe) || hasBuilds(recipe)
            isLive[recipe] = known
            return known
        }
        let gone = try records.filter { record in try record.image.map { !images.contains($0) } ?? !hasSomething(record.recipe) }
        if gone.isEmpty { return }
        try chunks.index.write { database in
            for record in gone {
                // One that was noted anew meanwhile stays.
                try database.execute(
                    sql: "DELETE FROM records WHERE recipe = ? AND step = ? AND record = ?", arguments: [record.recipe, record.step, record.text])
            }
        }
    }
}
