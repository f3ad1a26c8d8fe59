import Foundation

/// Definitions that a user adds to those that this program was built with.
enum OwnDefinitions {
    /// Paths of the files in a folder of TERRINE_HOME, by name; none where there is no such folder.
    static func files(_ folder: String, home: String?) -> [String] {
        guard let folder = home.map({ "\($0)/\(folder)" }) else { return [] }
        // A folder that is not there adds none.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().filter { $0.hasSuffix(".yaml") }.map { "\(folder)/\($0)" }
    }
}
