import ArgumentParser
import Foundation
import Recipes

/// Which recipe a command is for.
struct RecipeOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The recipe's folder, or its file.", valueName: "dir|file"))
    var path = "."

    @Option(help: ArgumentHelp("Replace one value of the recipe, such as resources.memory=4GiB.", valueName: "key=value"))
    var set: [String] = []

    /// The folder of a recipe that is named by its folder or its file, absolute.
    static func folder(of path: String) -> String {
        let url = URL(fileURLWithPath: path).standardizedFileURL
        var isFolder: ObjCBool = false
        let isFile = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && !isFolder.boolValue
        return isFile ? url.deletingLastPathComponent().path : url.path
    }

    func load() throws -> Recipe {
        let recipe = try Recipe.load(path, sets: set)
        for warning in recipe.warnings { FileHandle.standardError.write(Data("\(warning)\n".utf8)) }
        return recipe
    }
}
