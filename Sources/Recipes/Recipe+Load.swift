import Foundation

extension Recipe {
    /// The name of a repository's recipe.
    public static let fileName = "terrine.yaml"

    /// Reads and checks the recipe at `path` (a file, or a folder that holds `terrine.yaml`).
    ///
    /// - Parameter sets: `key=value` overrides, as of `--set`.
    /// - Throws: ``RecipeDiagnostics`` with every problem, ``RecipeError`` when there is no such file.
    public static func load(_ path: String, sets: [String] = []) throws -> Recipe {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw RecipeError("notFound", "there is no recipe at \(path)", fix: "write one with `terrine init`")
        }
        var file = path
        if isFolder.boolValue {
            file = path == "." ? fileName : (path.hasSuffix("/") ? path : path + "/") + fileName
            guard FileManager.default.fileExists(atPath: file) else {
                let names = ["terrine.yml", "Terrine.yaml", ".terrine.yaml"]
                let other = names.first { FileManager.default.fileExists(atPath: HostPath.join(path, $0)) }
                throw RecipeError(
                    "notFound", "there is no \(fileName) in \(path)",
                    fix: other.map { "rename \($0) to \(fileName)" } ?? "write one with `terrine init \(path)`")
            }
        }
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw RecipeError("unreadable", "cannot read \(file)", fix: "check its permissions")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RecipeDiagnostics([
                Diagnostic(at: SourceLocation(file: file, line: 1, column: 1), "the file is not UTF-8 text")
            ])
        }
        return try parse(text, file: file, folder: HostPath.parent(HostPath.absolute(file)), sets: sets)
    }

    /// Checks a recipe that is already in memory.
    ///
    /// - Parameters:
    ///   - file: its name for diagnostics.
    ///   - folder: absolute; where relative paths begin.
    public static func parse(_ text: String, file: String, folder: String, sets: [String] = []) throws -> Recipe {
        let source = RecipeSource(file: file, text: text)
        let decoder = RecipeDecoder(source)
        var root = try source.root()
        for set in sets {
            do {
                root = try Override(set).applied(to: root, decoder)
            } catch let error as RecipeDiagnostics {
                for diagnostic in error.diagnostics { decoder.add(diagnostic) }
            }
        }
        var recipe = decoder.recipe(root)
        recipe.folder = folder
        recipe.file = file
        recipe.text = text
        recipe.locations = decoder.locations
        decoder.checkReferences(of: recipe)
        let diagnostics = decoder.sorted
        if decoder.hasErrors { throw RecipeDiagnostics(diagnostics) }
        recipe.warnings = diagnostics
        return recipe
    }

    /// An error at the place of the value at `path`, such as `steps.0.inputs.1`.
    func diagnostic(
        _ path: String, _ message: String, expected: String? = nil, nearest: String? = nil
    ) -> Diagnostic {
        let place = locations[path] ?? SourceLocation(file: file, line: 1, column: 1)
        return Diagnostic(
            at: place, message, expected: expected, nearest: nearest,
            source: place.file == file ? RecipeSource(file: file, text: text).line(place.line) : place.file)
    }
}
