import ChunkStore
import Foundation
import GRDB
import Glibc

extension ImageStore {
    /// For `images`.
    public struct Listing: Codable, Sendable, Equatable {
        /// Nil for an image without a name.
        public var name: String?
        public var digest: String
        public var virtualBytes: Int64
        public var storedBytes: Int64
        public var layers: Int
        public var recipe: String?
        /// RFC 3339.
        public var created: String
    }

    /// The named images, or all.
    public func list(all: Bool = false) throws -> [Listing] {
        let references = try references()
        var entries: [(String?, Digest)] = references.map { ($0.name, $0.digest) }
        if all { entries += try allImages().sorted().filter { digest in !references.contains { $0.digest == digest } }.map { (nil, $0) } }
        let summaries = try summaries(of: entries.map(\.1))
        return entries.compactMap { name, digest in
            summaries[digest].map {
                Listing(
                    name: name, digest: digest.description, virtualBytes: $0.virtualBytes, storedBytes: $0.storedBytes, layers: $0.layers, recipe: $0.recipe,
                    created: created(digest))
            }
        }
    }

    private func created(_ digest: Digest) -> String {
        var (status, parts) = (stat(), tm())
        guard stat(chunks.blobs.path(of: digest), &status) == 0, gmtime_r(&status.st_mtim.tv_sec, &parts) != nil else { return "" }
        let text = [CChar](unsafeUninitializedCapacity: 32) { buffer, count in count = strftime(buffer.baseAddress, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) }
        return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// For `inspect`.
    public struct Inspection: Codable, Sendable {
        public var digest: String
        public var names: [String]
        public var virtualBytes: Int64
        /// Bytes of its chunks that are not zero.
        public var allocatedBytes: Int64
        /// Compressed bytes that it reaches, each counted once.
        public var storedBytes: Int64
        public var layers: [Layer]
        public var environment: [String: String]
        public var machine: MachineDefaults
        public var labels: [String: String]
        public var parent: String?
        public var step: String?
        public var cacheKey: String?
        public var treeDigest: String?
        /// Where its blocks came from, when a stranger wrote them.
        public var foreignOrigin: String?

        public struct Layer: Codable, Sendable {
            public var diffID: String
            public var blob: String
            public var blobBytes: Int64
        }
    }

    public func inspect(_ image: Image) throws -> Inspection {
        let manifest = try manifest(of: image.digest)
        let summary = try summaries(of: [image.digest])[image.digest]
        return Inspection(
            digest: image.digest.description, names: try references().filter { $0.digest == image.digest }.map(\.name), virtualBytes: image.virtualBytes,
            allocatedBytes: summary?.sizes?.allocatedBytes ?? 0, storedBytes: summary?.storedBytes ?? 0,
            layers: zip(image.layers, manifest.layers).map { Inspection.Layer(diffID: $0.description, blob: $1.digest.description, blobBytes: $1.size) },
            environment: image.environment, machine: image.machine, labels: image.labels, parent: image.parent?.description, step: image.step,
            cacheKey: image.cacheKey, treeDigest: image.treeDigest, foreignOrigin: try foreignOrigin(of: image.digest))
    }

    /// For `history`: the image, then what it was made from, as far as the store has it.
    public struct Ancestor: Codable, Sendable, Equatable {
        public var digest: String
        public var step: String?
        /// Chunks that its layer changes; 0 when it changed none.
        public var chunks: Int
        /// Compressed bytes that it has and its parent has not.
        public var addedBytes: Int64
        public var created: String
        /// The step's key in the cache.
        public var cacheKey: String?
        /// Of its files; nil where nobody recorded it.
        public var treeDigest: String?
        /// How long the step took to make it.
        public var milliseconds: Int?
        /// Who made it, as `user@host`.
        public var builder: String?
        /// The commit of the recipe's repository at which it was made.
        public var commit: String?
    }

    public func history(_ image: Image) throws -> [Ancestor] {
        try summaries(from: image.digest).map { summary in
            let image = try self.image(summary.digest)
            let made = MakerNote(try manifest(of: summary.digest).annotations ?? [:])
            return Ancestor(
                digest: summary.digest.description, step: summary.step, chunks: summary.changedChunks, addedBytes: summary.sizes?.addedBytes ?? 0,
                created: made.created ?? created(summary.digest), cacheKey: image.cacheKey, treeDigest: image.treeDigest, milliseconds: made.milliseconds,
                builder: made.builder, commit: made.commit)
        }
    }

    /// For `df`.
    public struct Usage: Codable, Sendable {
        public var images: Int
        public var names: Int
        public var packs: Int
        public var packBytes: Int64
        public var chunks: Int
        public var otherBytes: Int64
        public var cacheEntries: Int
        /// Of packs, that no image needs; `gc` may free a little less, since it leaves packs of which more than half is needed.
        public var reclaimableBytes: Int64
    }

    public func usage() throws -> Usage {
        let size = try chunks.size()
        let packs = Set(try chunks.packDigests())
        let other = try chunks.blobs.all().filter { !packs.contains($0) }.reduce(Int64(0)) { $0 + (chunks.blobs.size(of: $1) ?? 0) }
        var reach = ChunkReach(chunks)
        var last: ImageMap?
        for image in try allImages() {
            // A damaged image needs what can still be found of it; `verify` tells the rest.
            guard let map = try? maps.open(image) ?? self.map(of: self.image(image)) else { continue }
            try map.forEachDifference(from: last) { _, _, number in if number != 0 { try? reach.add(number) } }
            last = map
        }
        let needed = min(size.bytes, reach.storedBytes)
        return Usage(
            images: try allImages().count, names: try references().count, packs: size.packs, packBytes: size.bytes, chunks: size.chunks, otherBytes: other,
            cacheEntries: try chunks.index.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM cache") ?? 0 }, reclaimableBytes: size.bytes - needed)
    }
}
