import ArgumentParser
import Images
import Remotes

/// Whose signature an image needs before a machine starts from it.
struct SignatureOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Start it only when one of these keys has signed the image; otherwise as `config.yaml` says.", valueName: "file"))
    var requireSignature: [String] = []

    /// - Throws: `RemoteError` `unsigned`.
    func check(_ image: Image, _ images: ImageStore) throws {
        let keys = try requireSignature.isEmpty ? RemoteConfiguration.load(home: images.home).requiredKeys : requireSignature
        if !keys.isEmpty { _ = try images.verifySignature(of: image, keys: keys) }
    }
}
