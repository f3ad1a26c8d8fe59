import ArgumentParser
import ChunkStore
import Foundation
import Images
import Machines
import Trees

struct ImageList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "images", abstract: "List the images.")

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "Those without a name too: steps of builds, and what machines stand on.")
    var all = false

    private struct Result: Encodable {
        var images: [ImageStore.Listing]
    }

    func run() throws {
        let images = try global.images().list(all: all)
        try global.print(Result(images: images)) {
            TextTable.render(
                ["NAME", "DIGEST", "DISK", "STORED", "LAYERS", "CREATED"],
                images.map { image in
                    [
                        image.name ?? "-", String(image.digest.dropFirst(7).prefix(12)), bytesText(image.virtualBytes), bytesText(image.storedBytes),
                        String(image.layers), image.created,
                    ]
                })
        }
    }
}

struct History: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "history", abstract: "Tell which steps an image was made by, newest first.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.", completion: .images)
    var image: String

    @Flag(help: "Tell the tree digest of every image, also where none is recorded: then its files are read.")
    var trees = false

    private struct Result: Encodable {
        var history: [ImageStore.Ancestor]
    }

    func run() throws {
        let images = try global.images()
        var history = try images.history(images.resolve(image))
        if trees { try addTrees(to: &history, images) }
        try global.print(Result(history: history)) {
            let heads = ["DIGEST", "STEP", "KEY", "CHUNKS", "ADDED", "TOOK", "CREATED", "COMMIT", "BUILDER"]
            let rows = history.map { one in
                [
                    String(one.digest.dropFirst(7).prefix(12)), one.step ?? "-", one.cacheKey.map { String($0.prefix(12)) } ?? "-", String(one.chunks),
                    bytesText(one.addedBytes), one.milliseconds.map { String(format: "%.1f s", Double($0) / 1000) } ?? "-", one.created,
                    one.commit.map { String($0.prefix(12)) } ?? "-", one.builder ?? "-",
                ]
            }
            if !trees { return TextTable.render(heads, rows) }
            let digests = history.map { one in one.treeDigest.map { String($0.dropFirst(7).prefix(12)) } ?? "-" }
            return TextTable.render(heads + ["TREE"], zip(rows, digests).map { $0 + [$1] })
        }
    }

    private func addTrees(to history: inout [ImageStore.Ancestor], _ images: ImageStore) throws {
        // A step that changed nothing has its parent's files, which are read once.
        var known: [[Digest]: String] = [:]
        for index in history.indices where history[index].treeDigest == nil {
            let image = try images.resolve(history[index].digest)
            // A disk that holds no files that can be read has no such digest.
            known[image.layers] = known[image.layers] ?? (try? images.treeDigest(of: image))?.description
            history[index].treeDigest = known[image.layers]
        }
    }
}

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Tell all about an image or a machine, as JSON.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image, or the machine.")
    var subject: String

    func run() throws {
        let machines = try global.machines()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        // A machine's name cannot be a digest, and one that is also an image's name is asked for more often as a machine.
        if let machine = try? machines.machine(subject) {
            let summary = try machine.summary()
            try global.print(summary) { String(decoding: try encoder.encode(summary), as: UTF8.self) }
        } else {
            let image = try machines.images.resolve(subject)
            var inspection = try machines.images.inspect(image)
            // A disk that holds no files that can be read has no such digest.
            if inspection.treeDigest == nil { inspection.treeDigest = try? machines.images.treeDigest(of: image).description }
            try global.print(inspection) { String(decoding: try encoder.encode(inspection), as: UTF8.self) }
        }
    }
}

struct Tag: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tag", abstract: "Give an image another name.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.", completion: .images)
    var image: String

    @Argument(help: ArgumentHelp("The name.", valueName: "name[:tag]"))
    var name: String

    private struct Result: Encodable {
        var name: String
        var digest: String
    }

    func run() throws {
        let images = try global.images()
        let found = try images.resolve(image)
        try images.tag(name, found)
        try global.print(Result(name: try ImageReference.normal(name), digest: found.digest.description)) { "" }
    }
}

struct RemoveImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rmi", abstract: "Take names of images away.",
        discussion: "`terrine gc` frees what no name, no machine and no cached step needs any more. Machines keep what they stand on.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("The names.", valueName: "name[:tag]"))
    var names: [String]

    func run() throws {
        let images = try global.images()
        for name in names { try images.untag(name) }
        try global.print(["names": try names.map(ImageReference.normal)]) { "" }
    }
}
