import ArgumentParser
import Foundation
import Images
import Trees

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Tell which layer and step of an image last wrote a file.",
        discussion: "Times do not count as writing. Links on the way to the file are followed.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.")
    var image: String

    @Argument(help: "The file's path in the image.")
    var path: String

    func run() throws {
        let images = try global.images()
        let image = try images.resolve(image)
        let origin = try FileOrigin.find(ByteString(path), of: image, in: images)
        try global.print(origin) {
            var rows = [
                ["file", origin.path + (origin.target.map { " -> \($0)" } ?? "")],
                ["kind", origin.kind + (origin.bytes.map { ", \($0) bytes" } ?? "")],
                ["mode", "\(origin.mode), owner \(origin.user):\(origin.group)"],
                ["layer", "\(origin.layer) of \(image.layers.count), \(origin.diffID)"],
                ["step", origin.step ?? "unknown: the images that it was made from are not in the store"],
                ["change", origin.change],
            ]
            if let key = origin.cacheKey { rows.append(["key", key]) }
            if let made = origin.image { rows.append(["image", made]) }
            rows.append(["package", origin.package ?? "none that dpkg knows"])
            return rows.map { $0[0].padding(toLength: 9, withPad: " ", startingAt: 0) + $0[1] }.joined(separator: "\n")
        }
    }
}
