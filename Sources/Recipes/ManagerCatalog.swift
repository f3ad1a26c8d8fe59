import Foundation
import Synchronization

/// The package managers that a recipe can name: `Managers/NAME.yaml` beside the recipe or above it, else `TERRINE_HOME/managers/NAME.yaml`,
/// else those that this program was built with.
public struct ManagerCatalog: Sendable {
    /// Folders with definitions, the nearest first.
    private let folders: [String]

    private static let builtIn: [String: [UInt8]] = [
        "apt": PackageResources.apt_yaml, "cargo": PackageResources.cargo_yaml, "composer": PackageResources.composer_yaml, "gem": PackageResources.gem_yaml,
        "go": PackageResources.go_yaml, "maven": PackageResources.maven_yaml, "npm": PackageResources.npm_yaml, "pip": PackageResources.pip_yaml,
        "pnpm": PackageResources.pnpm_yaml, "poetry": PackageResources.poetry_yaml, "uv": PackageResources.uv_yaml, "yarn": PackageResources.yarn_yaml,
    ]

    private static let read = Mutex<[String: PackageManager]>([:])

    public static var builtInNames: [String] { builtIn.keys.sorted() }

    /// - Parameters:
    ///   - folder: the recipe's, absolute; empty for none.
    ///   - home: TERRINE_HOME.
    public init(folder: String, home: String? = nil) {
        var folders: [String] = []
        var above = folder
        while !above.isEmpty {
            folders.append((above == "/" ? "" : above) + "/Managers")
            // A repository's top is as far as a recipe looks.
            if above == "/" || FileManager.default.fileExists(atPath: above + "/.git") { break }
            above = HostPath.parent(above)
        }
        self.folders = folders + (home.map { [$0 + "/managers"] } ?? [])
    }

    /// Every name that can be used, sorted.
    public var names: [String] {
        // A folder that is not there, or cannot be read, adds none.
        let found = folders.flatMap { (try? FileManager.default.contentsOfDirectory(atPath: $0)) ?? [] }
        return Set(Self.builtInNames + found.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }).sorted()
    }

    /// The definition of that name; nil when there is none.
    ///
    /// - Throws: ``RecipeDiagnostics`` for a definition that cannot be used.
    public func find(_ name: String) throws -> PackageManager? {
        for folder in folders {
            let path = "\(folder)/\(name).yaml"
            if let bytes = FileManager.default.contents(atPath: path) { return try parse(bytes, name, path) }
        }
        guard let bytes = Self.builtIn[name] else { return nil }
        // These cannot change, and a matrix names them many times.
        return try Self.read.withLock { read in
            if let manager = read[name] { return manager }
            let manager = try parse(Data(bytes), name, "Managers/\(name).yaml")
            read[name] = manager
            return manager
        }
    }

    private func parse(_ bytes: Data, _ name: String, _ path: String) throws -> PackageManager {
        let manager = try PackageManager.parse(String(decoding: bytes, as: UTF8.self), file: path)
        guard manager.name == name else {
            throw RecipeDiagnostics([
                Diagnostic(
                    at: SourceLocation(file: path, line: 1, column: 1), "the manager's name is `\(manager.name)`, and its file is \(name).yaml",
                    expected: "name: \(name)")
            ])
        }
        return manager
    }
}
