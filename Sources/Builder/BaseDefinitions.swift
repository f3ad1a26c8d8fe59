import Foundation
import Recipes

/// The bases that can be named: `Images/NAME.yaml` beside the recipe or above it, else those that this program was built with.
///
/// The built-in ones are in the program itself, so that one installed file is enough.
public struct BaseDefinitions: Sendable {
    /// The recipe's folder, absolute.
    public let folder: String

    public init(folder: String) { self.folder = folder }

    private static let builtIn: [String: [UInt8]] = [
        "debian-bookworm": PackageResources.debian_bookworm_yaml, "debian-bullseye": PackageResources.debian_bullseye_yaml,
        "debian-trixie": PackageResources.debian_trixie_yaml,
    ]

    public static var builtInNames: [String] { builtIn.keys.sorted() }

    /// The definition of that name; nil when there is none.
    ///
    /// - Throws: `RecipeDiagnostics` for a definition that cannot be used.
    public func find(_ name: String) throws -> BaseDefinition? {
        var folder = folder
        while true {
            let path = (folder == "/" ? "" : folder) + "/Images/\(name).yaml"
            if let bytes = FileManager.default.contents(atPath: path) {
                return try BaseDefinition.parse(String(decoding: bytes, as: UTF8.self), file: path)
            }
            // A repository's top is as far as a recipe looks.
            if folder == "/" || FileManager.default.fileExists(atPath: folder + "/.git") { break }
            folder = (folder as NSString).deletingLastPathComponent
        }
        return try Self.builtIn[name].map { try BaseDefinition.parse(String(decoding: $0, as: UTF8.self), file: "Images/\(name).yaml") }
    }
}
