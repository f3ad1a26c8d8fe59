import Foundation
import Images
import Recipes

/// An argument that names an image, or a folder with a recipe.
enum ImageArgument {
    /// A path, or the name of a folder here that holds a recipe. An image of such a name can still be had with its tag.
    static func isRecipe(_ text: String) -> Bool {
        if text.hasPrefix("/") || text.hasPrefix(".") { return true }
        return FileManager.default.fileExists(atPath: text + "/" + Recipe.fileName)
    }

    /// - Parameter trusts: whether what is built may begin with a foreign image.
    static func resolve(_ text: String, _ global: GlobalOptions, _ images: ImageStore, trusts: Bool) throws -> Image {
        guard isRecipe(text) else { return try images.resolve(text) }
        let recipe = try Recipe.load(text, home: global.homeFolder, images: ImageFragments(home: global.homeFolder))
        return try RecipeBuild.run(recipe, images: images, global: global) { $0.trustsBase = trusts }.image
    }
}
