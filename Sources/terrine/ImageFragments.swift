import Foundation
import Images
import Recipes
import Trees

/// The images of a home, as recipes that include or extend something in them see them. The store is opened only for such a recipe.
struct ImageFragments: RecipeImages {
    let home: String

    func file(_ path: String, ofImage name: String) throws -> [UInt8] {
        let images = try ImageStore(home: home)
        let reader = try Ext4Reader(ImageDisk(images.resolve(name), in: images))
        var place = ByteString(path)
        // As many links as Linux follows.
        for _ in 0..<40 {
            guard let found = try reader.file(at: place) else { break }
            switch found.node.kind {
            case .file(let content): return try content.bytes()
            case .symlink(let target):
                let folder = target.bytes.first == 0x2F ? "" : ByteString(found.path.components.dropLast().reduce(into: []) { $0 += [0x2F] + $1.bytes })
                place = folder.appending(target)
            default: throw RecipeError("unreadable", "\(path) of the image \(name) is no file", fix: "`terrine explain \(name) \(path)` tells what it is")
            }
        }
        throw RecipeError(
            "unreadable", "the image \(name) has no file \(path)",
            fix: "`terrine run \(name) -- ls -la \((path as NSString).deletingLastPathComponent)` lists what is there")
    }

    func workspace(ofImage name: String) throws -> String {
        let images = try ImageStore(home: home)
        return try images.resolve(name).machine.workingFolder
    }
}
