import Foundation

extension Recipe {
    /// The name of a repository's recipe.
    public static let fileName = "terrine.yaml"

    /// The folder of a repository that holds more recipes.
    public static let folderName = ".terrine"

    /// What is said beside a recipe when it is read.
    public struct Options: Sendable {
        /// `key=value` or `VARIABLE=value`, as of `--set`.
        public var sets: [String] = []
        /// `axis=value`: which images of a matrix, as of `--only`. Several values of one axis mean any of them.
        public var only: [String] = []
        /// TERRINE_HOME, which may hold package managers.
        public var home: String?
        /// For fragments and recipes in images; without it, naming one is an error.
        public var images: (any RecipeImages)?
        /// What `when: { arch: … }` is decided by, in Debian's words.
        public var architecture = Recipe.hostArchitecture

        public init(sets: [String] = [], only: [String] = [], home: String? = nil, images: (any RecipeImages)? = nil) {
            (self.sets, self.only, self.home, self.images) = (sets, only, home, images)
        }
    }

    /// This program's own, in Debian's words.
    public static var hostArchitecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    /// Reads and checks the recipe at `path` (a file, or a folder that holds `terrine.yaml`): one image.
    ///
    /// - Throws: ``RecipeDiagnostics`` with every problem, ``RecipeError`` when there is no such file, or when it makes several images.
    public static func load(_ path: String, sets: [String] = [], home: String? = nil, images: (any RecipeImages)? = nil) throws -> Recipe {
        try single(loadAll(path, Options(sets: sets, home: home, images: images)), path)
    }

    /// Reads and checks the recipe at `path`: one for each image of its matrix, in the matrix's order.
    public static func loadAll(_ path: String, _ options: Options) throws -> [Recipe] {
        let file = try file(at: path)
        return try RecipeReader(file: file, path: HostPath.absolute(file), folder: folder(ofFile: file), options: options).recipes(text(of: file))
    }

    /// Every recipe of a repository: `terrine.yaml` and `.terrine/*.yaml`, each with all its images.
    ///
    /// - Throws: ``RecipeDiagnostics`` with the problems of all of them.
    public static func loadRepository(_ path: String, _ options: Options) throws -> [Recipe] {
        let files = files(ofRepository: path)
        guard !files.isEmpty else {
            throw RecipeError("notFound", "there is no \(fileName) and no \(folderName)/*.yaml in \(path)", fix: "write one with `terrine init \(path)`")
        }
        var recipes: [Recipe] = []
        var problems: [Diagnostic] = []
        for file in files {
            do {
                recipes += try loadAll(file, options)
            } catch let error as RecipeDiagnostics {
                problems += error.diagnostics
            }
        }
        var first: [String: Recipe] = [:]
        for recipe in recipes {
            if let other = first.updateValue(recipe, forKey: recipe.name) {
                let place = recipe.locations["name"] ?? SourceLocation(file: recipe.file, line: 1, column: 1)
                let earlier = other.locations["name"] ?? SourceLocation(file: other.file, line: 1, column: 1)
                problems.append(
                    recipe.diagnostic(
                        "name", "two recipes are named `\(recipe.name)`; the first is \(RecipeFiles.shown(earlier, from: place))",
                        expected: "a name of its own for each recipe"))
            }
        }
        if !problems.isEmpty { throw RecipeDiagnostics(problems) }
        return recipes
    }

    /// Checks a recipe that is already in memory.
    ///
    /// - Parameters:
    ///   - file: its name for diagnostics.
    ///   - folder: absolute; where relative paths begin.
    public static func parse(_ text: String, file: String, folder: String, sets: [String] = []) throws -> Recipe {
        try single(parseAll(text, file: file, folder: folder, Options(sets: sets)), file)
    }

    /// As ``parse(_:file:folder:sets:)``, for a recipe with a matrix.
    public static func parseAll(_ text: String, file: String, folder: String, _ options: Options) throws -> [Recipe] {
        try RecipeReader(file: file, path: HostPath.join(folder, HostPath.name(file)), folder: folder, options: options).recipes(text)
    }

    private static func single(_ recipes: [Recipe], _ path: String) throws -> Recipe {
        if recipes.count == 1 { return recipes[0] }
        throw RecipeError(
            "matrix", "\(path) makes \(recipes.count) images: \(recipes.map(\.name).joined(separator: ", "))", fix: "build them, and name one of these images")
    }

    /// An error at the place of the value at `path`, such as `steps.0.inputs.1`.
    func diagnostic(
        _ path: String, _ message: String, expected: String? = nil, nearest: String? = nil
    ) -> Diagnostic {
        let place = locations[path] ?? SourceLocation(file: file, line: 1, column: 1)
        let source = texts[place.file].map { RecipeSource(file: place.file, text: $0).line(place.line) } ?? place.file
        return Diagnostic(at: place, message, expected: expected, nearest: nearest, source: source)
    }
}
