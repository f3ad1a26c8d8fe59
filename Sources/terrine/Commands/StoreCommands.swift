import ArgumentParser
import Foundation
import Images
import Machines
import Recipes
import Remotes

struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Free what nothing needs.",
        discussion:
            "Kept are images with a name, what machines stand on, the last builds of each recipe, steps of builds that were used lately, and what a process "
            + "reads or has just made. Machines whose --ttl is over are stopped and removed. Safe at any time, beside builds and running machines.")

    @OptionGroup var global: GlobalOptions

    @Option(help: ArgumentHelp("Forget cached steps that no build has used for so long; 0h forgets all.", valueName: "duration"))
    var cache = "720h"

    @Option(help: ArgumentHelp("Leave images that are younger alone.", valueName: "duration"))
    var grace = "0s"

    @Flag(
        help: "Compress what stays as small as is worth it, unless that was done before. It takes long; nobody waits for it, and it can be stopped at any time."
    )
    var repack = false
    @Option(help: ArgumentHelp("How many of each recipe's last builds stay, also when a newer one took their name.", valueName: "n"))
    var keep = 1

    @Option(help: ArgumentHelp("Keep the newest N checkpoints of each line, with or without a name; names of older ones go.", valueName: "n"))
    var keepCheckpoints: Int?

    @Option(help: ArgumentHelp("Keep checkpoints that are younger; names of older ones go, unless it is a line's newest.", valueName: "duration"))
    var ttl: String?

    @Option(help: ArgumentHelp("Forget cached steps too, oldest first, until the store takes no more; otherwise as TERRINE_MAX_STORE says.", valueName: "size"))
    var maxStore: String?

    private struct Result: Encodable {
        var store: ImageStore.Collected
        var machines: MachineHost.Reaped
    }

    func validate() throws {
        if keep < 0 { throw ValidationError("--keep \(keep): it is a number of builds, at least 0") }
        if let keepCheckpoints, keepCheckpoints < 1 { throw ValidationError("--keep-checkpoints \(keepCheckpoints): at least a line's newest stays") }
    }

    func run() throws {
        var retention = Retention()
        (retention.builds, retention.checkpoints, retention.checkpointAge) = (keep, keepCheckpoints, try ttl.map(seconds))
        let limit = try maxStore.map { try MachineOptions.bytes($0, option: "--max-store") }
        let (cacheDays, grace) = (try seconds(cache) / 86400, try seconds(grace))
        let host = try global.machines()
        let reaped = try host.reap()
        let collected = try host.images.collectGarbage(
            cacheDays: cacheDays, grace: grace, retention: retention, repack: repack, maxBytes: limit ?? host.images.limit)
        try global.print(Result(store: collected, machines: reaped)) {
            "freed \(bytesText(collected.bytes + reaped.overlayBytes)): \(collected.images) images, \(collected.packs) packs with \(collected.chunks) chunks, "
                + "\(reaped.machines.count) machines without an owner or whose time was over"
                + (collected.names > 0 ? ", \(collected.names) names of checkpoints" : "")
                + (collected.repacked.map { "; written anew: \(bytesText($0.bytesBefore)) as \(bytesText($0.bytesAfter))" } ?? "")
        }
    }

    private func seconds(_ text: String) throws -> Double {
        if ["0", "0s", "0m", "0h"].contains(text) { return 0 }
        return try DurationArgument.parse(text) / .seconds(1)
    }
}

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read everything in the store and say what is wrong with it.",
        discussion: "What machines wrote is read too, as far as it has checksums. Exits with 1 when something is wrong; images and machines that are affected "
            + "are named.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Only what this image needs.", completion: .images)
    var image: String?

    @Flag(help: "Make the index anew from the blobs first. Names, machines and their images stay.")
    var rebuildIndex = false

    @Flag(help: "Mend what can be mended: packs from what is left of them, the rest from the copy that --from names. What cannot be is told.")
    var repair = false

    @Option(help: ArgumentHelp("Where --repair finds a copy: another home, or its `store` folder.", valueName: "store"))
    var from: String?

    @Option(help: ArgumentHelp("One of these keys must have signed the image.", valueName: "file"))
    var key: [String] = []

    private struct Result: Encodable {
        var images: Int
        var chunks: Int
        /// Of --key.
        var signature: ImageStore.Signed?
        var problems: [ImageStore.Verification.Problem]
        var repaired: Repaired?
    }

    func validate() throws {
        if from != nil, !repair { throw ValidationError("--from is for --repair") }
        if !key.isEmpty, image == nil { throw ValidationError("--key is for an image") }
        if repair, image != nil { throw ValidationError("--repair mends the whole store, not one image") }
    }

    func run() throws {
        // An index that cannot be opened is no reason not to make it anew.
        let images = try rebuildIndex ? ImageStore.rebuildingIndex(home: global.homeFolder) : global.images()
        var signature: ImageStore.Signed?
        if let image, !key.isEmpty { signature = try images.verifySignature(of: images.resolve(image), keys: key) }
        var repaired: Repaired?
        let source = from.map { URL(fileURLWithPath: $0).path }
        if repair { repaired = try images.repair(from: source.map(ImageStore.existing)) }
        var found = try images.verify(image.map { [try images.resolve($0)] })
        if image == nil {
            let (problems, mended) = try MachineHost(home: global.homeFolder, images: images).verify(repairingFrom: source)
            found.problems += problems
            repaired?.overlayChunks = mended
        }
        let result = Result(images: found.images, chunks: found.chunks, signature: signature, problems: found.problems, repaired: repaired)
        try global.print(result) {
            var lines = result.problems.map { problem in
                let affected = problem.images + problem.machines
                return affected.isEmpty ? problem.message : "\(affected.joined(separator: ", ")): \(problem.message)"
            }
            if lines.isEmpty { lines = ["\(result.images) images, \(result.chunks) chunks: all well"] }
            if let repaired {
                lines.append("mended: \(repaired.blobs) blobs, \(repaired.chunks) chunks, \(repaired.overlayChunks) chunks of machines' own writes")
            }
            return lines.joined(separator: "\n")
        }
        if !result.problems.isEmpty { throw ExitCode(1) }
    }
}

struct DiskUse: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "df", abstract: "Tell what takes how much room.")

    @OptionGroup var global: GlobalOptions

    private struct Result: Encodable {
        var store: ImageStore.Usage
        var machines: Int
        var overlayBytes: Int64
    }

    func run() throws {
        let host = try global.machines()
        let usage = try host.images.usage()
        let machines = try host.machines { global.note("\($0)") }.map { try $0.summary() }
        let overlays = try host.overlayBytes()
        try global.print(Result(store: usage, machines: machines.count, overlayBytes: overlays)) {
            TextTable.render(
                ["WHAT", "COUNT", "BYTES"],
                [
                    ["images", "\(usage.images) (\(usage.names) named)", ""],
                    ["chunks in packs", "\(usage.chunks) in \(usage.packs)", bytesText(usage.packBytes)],
                    ["of them needed by no image", "", bytesText(usage.reclaimableBytes)],
                    ["layers, configs, manifests", "", bytesText(usage.otherBytes)], ["cached steps", String(usage.cacheEntries), ""],
                    ["machines' own writes", "\(machines.count) machines", bytesText(overlays)],
                ])
        }
    }
}
