import Foundation
import Images

/// An argument that names an image, or a folder with a recipe.
enum ImageArgument {
    static func resolve(_ text: String, _ global: GlobalOptions, _ images: ImageStore) throws -> Image {
        try images.resolve(text)
    }
}
