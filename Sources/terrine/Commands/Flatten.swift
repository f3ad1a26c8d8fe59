import ArgumentParser
import Builder
import Images
import Trees

struct Flatten: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flatten", abstract: "Rewrite an image into one layer: the same bytes on any host.",
        discussion:
            "The result depends on the image's files alone (its tree digest), and on its settings. All files get one fixed time, and what differs by nature "
            + "between two builds (logs, caches, the machine's id) is left out. It is the form to ship.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.")
    var image: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The new image's name; none if you give none.", valueName: "name[:tag]"))
    var tag: String?

    private struct Result: Encodable {
        var image: String?
        var digest: String
        var treeDigest: String?
    }

    func run() throws {
        let images = try global.images()
        // A name that cannot be given is told before anything is written.
        let name = try tag.map { try ImageReference.normal($0) }
        let flat = try Flattener(images: images).flatten(images.resolve(image))
        if let name { try images.tag(name, flat) }
        try global.print(Result(image: name, digest: flat.digest.description, treeDigest: flat.treeDigest)) { flat.digest.description }
    }
}
