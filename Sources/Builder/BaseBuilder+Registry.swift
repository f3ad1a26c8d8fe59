import Archives
import ChunkStore
import Foundation
import Images
import Recipes
import Remotes

/// Bases that are images of a registry. One is known by the digest of its manifest, which a lock names; a cached build asks no registry.
extension BaseBuilder {
    /// What a lock and a record know it by.
    static func key(ofRegistry reference: String) -> String { Digest.of(text: "oci \(formatVersion) \(HostArchitecture.current) \(reference)").hex }

    /// Whatever its name: the digest says all.
    private static func cacheKey(ofManifest digest: String) -> String { Digest.of(text: "oci \(formatVersion) \(HostArchitecture.current) \(digest)").hex }

    /// Fetches what the lock names, or else what is there now.
    func fetch(_ reference: String, _ plan: Plan, _ scratch: ScratchFolder, _ line: (String) -> Void) throws -> Image {
        let key = Self.key(ofRegistry: reference)
        let remote = try Remote(reference, home: home, plainHTTP: isPlain)
        let pinned = locked(key, plan)?.first?.split(separator: " ").last.map(String.init)
        let fetching = ContainerFetch(from: remote)
        line("asking \(remote.name.host)")
        guard let found = try fetching.find(pinned) else { throw missing(reference, pinned, remote) }
        let cacheKey = Self.cacheKey(ofManifest: found.digest.description)
        // Under another name, or before an update that found the same.
        let image = try images.cached(cacheKey) ?? take(found, fetching, remote, scratch, line)
        try images.cache(cacheKey, image: image, recipe: "", step: "base oci", record: ["manifest": found.digest.description])
        let tag = remote.name.reference.hasPrefix("sha256:") ? "-" : remote.name.reference
        let record = BaseRecord(
            name: "oci:\(reference)", cacheKey: cacheKey, built: Date().timeIntervalSince1970, indices: [],
            packages: ["\(remote.name.repositoryName) \(tag) \(found.digest)"])
        try save(record, key, plan)
        return image
    }

    private func take(
        _ found: ContainerFetch.Found, _ fetching: ContainerFetch, _ remote: Remote, _ scratch: ScratchFolder, _ line: (String) -> Void
    ) throws -> Image {
        if found.isOurs {
            let pull = Pull(images: images, from: remote)
            guard let ours = try pull.find(found.digest.description) else { throw missing(remote.name.description, found.digest.description, remote) }
            line("fetching the image")
            return try pull.accept(ours)
        }
        line("fetching the layers")
        let layout = scratch.path + "/layout"
        try fetching.fetch(found, architecture: ContainerConfig.thisArchitecture, into: layout)
        return try ImageImport(images: images).run(layout, line: line).image
    }

    private func missing(_ reference: String, _ pinned: String?, _ remote: Remote) -> BuildError {
        if let pinned {
            return BuildError(
                "gone", "the base oci:\(reference) is not what it was: \(remote.name.host) has no image with the digest that \(TerrineLock.fileName) names",
                cause: pinned, fix: "take what there is now with `terrine build --update base`, or name a registry that still has it")
        }
        return BuildError("noBase", "there is no image \(remote.name), which is the recipe's base", fix: "look at the name and the tag")
    }
}
