import ArgumentParser
import Foundation
import Recipes

/// Which recipes a command is for.
struct RecipeOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The recipe's folder, or its file.", valueName: "dir|file"))
    var path = "."

    @Option(
        help: ArgumentHelp("Give a variable of the recipe a value, or replace one value by its key, such as resources.memory=4GiB.", valueName: "key=value"))
    var set: [String] = []

    @Option(help: ArgumentHelp("Of a matrix, only the images with this value, such as suite=bookworm.", valueName: "axis=value"))
    var only: [String] = []

    @Flag(help: "Every recipe of the repository: terrine.yaml and .terrine/*.yaml.")
    var all = false

    /// The folder of a recipe that is named by its folder or its file, absolute.
    static func folder(of path: String) -> String {
        let url = URL(fileURLWithPath: path).standardizedFileURL
        var isFolder: ObjCBool = false
        let isFile = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && !isFolder.boolValue
        return isFile ? Recipe.folder(ofFile: url.path) : url.path
    }

    /// Each image's recipe.
    func load(_ global: GlobalOptions) throws -> [Recipe] {
        let options = Recipe.Options(sets: set, only: only, home: global.homeFolder, images: ImageFragments(home: global.homeFolder))
        let recipes = try all ? Recipe.loadRepository(path, options) : Recipe.loadAll(path, options)
        for warning in recipes.flatMap(\.warnings) { FileHandle.standardError.write(Data("\(warning)\n".utf8)) }
        return recipes
    }

    /// Whether what comes of them is a list: it is for a matrix, also when `--only` leaves one of its images.
    func areMany(_ recipes: [Recipe]) -> Bool { all || recipes.contains { !$0.cell.isEmpty } }
}
