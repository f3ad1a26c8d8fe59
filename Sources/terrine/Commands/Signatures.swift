import ArgumentParser
import Foundation
import Images
import Remotes

struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Vouch for an image with a key.",
        discussion: "The signature is of the image's digest, so it holds wherever the image is and however it is packed; `push` and `pull` take it along. The "
            + "image's provenance, if it has one, is signed too.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.", completion: .images)
    var image: String

    @Option(help: ArgumentHelp("An ed25519 private key in PEM; `openssl genpkey -algorithm ed25519` makes one.", valueName: "file"))
    var key: String

    func run() throws {
        let images = try global.images()
        let signed = try images.sign(images.resolve(image), key: key)
        try global.print(signed) { "\(signed.image) is signed by the key \(signed.key)" }
    }
}

struct ProvenanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provenance", abstract: "Tell how an image was made, as an in-toto statement.",
        discussion: "With SLSA's provenance: the recipe, its base, what its steps read, their keys, and who built it. `build` notes it.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image.", completion: .images)
    var image: String

    @Option(help: ArgumentHelp("Only what one of these keys has signed.", valueName: "file"))
    var key: [String] = []

    func run() throws {
        let images = try global.images()
        // JSON in any case.
        print(try images.provenance(of: images.resolve(image), keys: key).joined(separator: "\n"))
    }
}
