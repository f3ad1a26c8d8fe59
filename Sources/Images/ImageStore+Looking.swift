import ChunkStore
import Foundation
import GRDB
import Glibc

extension ImageStore {
    /// For `images`.
    public struct Listing: Codable, Sendable {
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
        return try entries.map { name, digest in
            let image = try image(digest)
            return Listing(
                name: name, digest: digest.description, virtualBytes: image.virtualBytes, storedBytes: try inspect(image).storedBytes,
                layers: image.layers.count,
                recipe: image.machine.recipe, created: created(digest))
        }
    }

    private func created(_ digest: Digest) -> String {
        var status = stat()
        guard stat(chunks.blobs.path(of: digest), &status) == 0 else { return "" }
        return Date(timeIntervalSince1970: TimeInterval(status.st_mtim.tv_sec)).formatted(.iso8601)
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

        public struct Layer: Codable, Sendable {
            public var diffID: String
            public var blob: String
            public var blobBytes: Int64
        }
    }

    public func inspect(_ image: Image) throws -> Inspection {
        let manifest = try manifest(of: image.digest)
        let reach = try chunks.reach(try map(of: image).numbers())
        return Inspection(
            digest: image.digest.description, names: try references().filter { $0.digest == image.digest }.map(\.name), virtualBytes: image.virtualBytes,
            allocatedBytes: reach.plainBytes, storedBytes: reach.storedBytes + manifest.layers.reduce(0) { $0 + $1.size },
            layers: zip(image.layers, manifest.layers).map { Inspection.Layer(diffID: $0.description, blob: $1.digest.description, blobBytes: $1.size) },
            environment: image.environment, machine: image.machine, labels: image.labels, parent: image.parent?.description, step: image.step,
            cacheKey: image.cacheKey, treeDigest: image.treeDigest)
    }

    /// For `history`: the image, then what it was made from, as far as the store has it.
    public struct Ancestor: Codable, Sendable {
        public var digest: String
        public var step: String?
        /// Chunks that its layer changes; 0 when it changed none.
        public var chunks: Int
        /// Compressed bytes that it has and its parent has not.
        public var addedBytes: Int64
        public var created: String
    }

    public func history(_ image: Image) throws -> [Ancestor] {
        var result: [Ancestor] = []
        var next: Image? = image
        while let image = next {
            let parent = try image.parent.flatMap { chunks.blobs.contains($0) ? try self.image($0) : nil }
            let own = Set(try map(of: image).numbers())
            let before = try parent.map { Set(try map(of: $0).numbers()) } ?? []
            let isNew = image.layers.count > (parent?.layers.count ?? 0)
            let layer = isNew ? try layers(of: image).last.map { try self.layer($0).chunks.count } : nil
            result.append(
                Ancestor(
                    digest: image.digest.description, step: image.step, chunks: layer ?? 0,
                    addedBytes: try chunks.reach(own.subtracting(before)).storedBytes, created: created(image.digest)))
            next = parent
        }
        return result
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
        var numbers: Set<UInt32> = []
        for image in try allImages() {
            // A damaged image needs what can still be found of it; `verify` tells the rest.
            guard let own = try? map(of: self.image(image)).numbers() else { continue }
            numbers.formUnion(own)
        }
        let needed = min(size.bytes, try chunks.reach(numbers).storedBytes)
        return Usage(
            images: try allImages().count, names: try references().count, packs: size.packs, packBytes: size.bytes, chunks: size.chunks, otherBytes: other,
            cacheEntries: try chunks.index.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM cache") ?? 0 }, reclaimableBytes: size.bytes - needed)
    }
}
