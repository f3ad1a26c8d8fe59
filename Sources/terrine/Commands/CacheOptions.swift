import ArgumentParser
import Builder
import Foundation
import Images
import Linux
import Remotes

/// Steps of recipes in registries, for `build` and `ci`.
struct CacheOptions: ParsableArguments {
    @OptionGroup var remote: RemoteOptions

    @Option(help: ArgumentHelp("Look there for steps that are not cached here; of what is found, only what is needed is fetched.", valueName: "host/path"))
    var cacheFrom: [String] = []

    @Option(help: ArgumentHelp("Send steps there, for builds elsewhere.", valueName: "host/path"))
    var cacheTo: [String] = []

    @Flag(help: "Trust the steps of --cache-from, wherever they come from.")
    var trustCache = false

    @Option(help: ArgumentHelp("Sign the image, and the steps of --cache-to, with this ed25519 key in PEM.", valueName: "file"))
    var sign: String?

    /// The caches, open; what is wrong with one later is a warning.
    struct Opened: Sendable {
        let reads: [StepCache]
        let writes: [StepCache]
        /// Registries are talked to without TLS.
        let isPlain: Bool

        /// For one build of perhaps many.
        func configure(_ options: inout PlanRunner.Options) {
            options.plainHTTP = isPlain
            (options.readsCaches, options.writesCaches) = (reads.map { $0.forAnotherBuild() }, writes.map { $0.forAnotherBuild() })
        }
    }

    func open(_ images: ImageStore) throws -> Opened {
        // Before hours of building: a key that cannot be read.
        if let sign { try ImageStore.checkSigningKey(sign) }
        return Opened(reads: try caches(cacheFrom, images, .reads), writes: try caches(cacheTo, images, .writes(signingKey: sign)), isPlain: remote.plainHttp)
    }

    private func caches(_ names: [String], _ images: ImageStore, _ use: StepCache.Use) throws -> [StepCache] {
        try names.map { name in
            let place = try Remote(name, home: images.home, plainHTTP: remote.plainHttp, trusted: trustCache)
            return try StepCache(images: images, at: place, use) {
                if LogLevel.current >= .warning { FileHandle.standardError.write(Data("warning: \($0)\n".utf8)) }
            }
        }
    }

    func validate() throws {
        if trustCache, cacheFrom.isEmpty { throw ValidationError("--trust-cache is for --cache-from") }
    }
}
