import ChunkStore
import Foundation
import GRDB
import Glibc
import Linux

extension ImageStore {
    private var indexPath: String { path + "/index.json" }

    func readIndex() throws -> OCIIndex { try readIndex(OCIIndex.self) ?? OCIIndex() }

    /// What `Part` takes of it; nil when there is none.
    private func readIndex<Part: Decodable>(_ part: Part.Type) throws -> Part? {
        guard access(indexPath, F_OK) == 0 else { return nil }
        do { return try JSONDecoder().decode(Part.self, from: Data(readFile(indexPath))) } catch let error as DecodingError {
            throw ImageError(
                "corrupt", "\(indexPath) is no OCI index", cause: "\(error)",
                fix: "put its last good copy back; `terrine verify --rebuild-index` does not know names")
        }
    }

    func changeIndex(_ body: (inout OCIIndex) throws -> Void) throws {
        let lock = try FileLock(path + "/index.lock")
        var index = try readIndex()
        let before = index.manifests
        try body(&index)
        if index.manifests != before || access(indexPath, F_OK) != 0 { try replaceFile(indexPath, with: try ImageConfig.canonical(index), mode: 0o644) }
        withExtendedLifetime(lock) {}
    }

    /// Held while a root is made: the image is there, and `gc` does not look at the roots until this one is among them.
    func rootsLock() throws -> FileLock { try chunks.writerLock() }

    /// - Throws: ``ImageError`` `notFound` when there is no such image.
    func manifestDigest(_ image: Digest) throws -> Digest {
        let row = try chunks.index.read { try Data.fetchOne($0, sql: "SELECT manifest FROM images WHERE digest = ?", arguments: [Data(image.bytes)]) }
        guard let digest = row.flatMap({ Digest(bytes: $0) }) else {
            throw ImageError("notFound", "the image \(image) is not in the store", fix: "`terrine images --all` lists those that are")
        }
        return digest
    }

    /// All names, sorted.
    public func references() throws -> [ImageReference] {
        let entries = try readIndex(OCIIndex.Names.self)?.manifests ?? []
        return entries.compactMap { entry in
            guard let name = entry.annotations?.name, let digest = entry.annotations?.image.flatMap({ Digest($0) }) else { return nil }
            return ImageReference(name: name, digest: digest)
        }.sorted { $0.name < $1.name }
    }

    /// Names that something but this program changed, each with what is wrong.
    func damagedNames() throws -> [(name: String, message: String)] {
        try readIndex().manifests.compactMap { entry in
            // Names that older versions wrote, and entries of other programs, have no check.
            guard let notes = entry.annotations, let check = notes[OCIIndex.checkKey] else { return nil }
            let (name, image) = (notes[OCIIndex.referenceKey] ?? "", notes[OCIIndex.imageKey] ?? "")
            if check == OCIIndex.check(name: name, image: image, manifest: entry.digest) { return nil }
            return (
                name,
                "the name `\(name)` in \(indexPath) does not fit its check: a letter of it or of its digests was changed; give the image "
                    + "its name with `terrine tag`, and take this one away with `terrine rmi`"
            )
        }
    }

    /// Names an image, in the place of what had the name before; does nothing when it has it already.
    ///
    /// - Parameter machine: of which it is a checkpoint: `gc` may be asked to take such names away.
    public func tag(_ reference: String, _ image: Image, checkpointOf machine: String? = nil) throws {
        let name = try ImageReference.normal(reference)
        let lock = try rootsLock()
        defer { withExtendedLifetime(lock) {} }
        let manifest = try manifestDigest(image.digest)
        guard let size = chunks.blobs.size(of: manifest) else {
            throw ImageError("corrupt", "the manifest of the image \(image.digest) is gone", fix: "build the image again")
        }
        try changeIndex { index in
            index.manifests.removeAll { $0.annotations?[OCIIndex.referenceKey] == name }
            var annotations = [OCIIndex.referenceKey: name, OCIIndex.imageKey: image.digest.description]
            annotations[OCIIndex.checkpointKey] = machine
            annotations[OCIIndex.checkKey] = OCIIndex.check(name: name, image: image.digest.description, manifest: manifest)
            index.manifests.append(OCIDescriptor(mediaType: OCIManifest.mediaType, digest: manifest, size: size, annotations: annotations))
            index.manifests.sort { ($0.annotations?[OCIIndex.referenceKey] ?? "") < ($1.annotations?[OCIIndex.referenceKey] ?? "") }
        }
    }

    /// Takes a name away; the image goes with the next `gc` when nothing else needs it.
    public func untag(_ reference: String) throws {
        // A damaged name may be none that could be given, and must go all the same.
        let name = try references().contains { $0.name == reference } ? reference : ImageReference.normal(reference)
        var found: OCIDescriptor?
        try changeIndex { index in
            found = index.manifests.first { $0.annotations?[OCIIndex.referenceKey] == name }
            index.manifests.removeAll { $0.annotations?[OCIIndex.referenceKey] == name }
        }
        guard let found else { throw try notFound(reference) }
        guard let image = found.annotations?[OCIIndex.imageKey].flatMap({ Digest($0) }) else { return }
        if try !references().contains(where: { $0.digest == image }) { try forgetBuild(image) }
    }

    /// Takes away the names that checkpoints got as they were made, of images that `isSuperseded`.
    ///
    /// - Returns: how many.
    func dropCheckpointNames(_ isSuperseded: (Digest) -> Bool) throws -> Int {
        var count = 0
        try changeIndex { index in
            let before = index.manifests.count
            index.manifests.removeAll { entry in
                entry.annotations?[OCIIndex.checkpointKey] != nil && entry.annotations?[OCIIndex.imageKey].flatMap { Digest($0) }.map(isSuperseded) ?? false
            }
            count = before - index.manifests.count
        }
        return count
    }

    /// The image that `reference` names: `name[:tag]`, a digest, or at least six of its digits.
    public func resolve(_ reference: String) throws -> Image {
        if let digest = Digest(reference) { return try image(digest) }
        if let name = try? ImageReference.normal(reference) {  // What is no name may still be a part of a digest.
            if let found = try references().first(where: { $0.name == name }) { return try image(found.digest) }
        }
        let digits = reference.hasPrefix("sha256:") ? String(reference.dropFirst(7)) : reference
        if digits.count >= 6, digits.wholeMatch(of: /[0-9a-f]+/) != nil {
            let matching = try allImages().filter { $0.hex.hasPrefix(digits) }
            if matching.count == 1 { return try image(matching[0]) }
            if matching.count > 1 {
                throw ImageError(
                    "ambiguous", "`\(reference)` begins the digests of \(matching.count) images",
                    fix: "give more digits: \(matching.map { $0.hex.prefix(16) }.joined(separator: ", "))")
            }
        }
        throw try notFound(reference)
    }

    private func notFound(_ reference: String) throws -> ImageError {
        let names = try references().map(\.name)
        let wanted = reference.contains(":") ? reference : reference + ":latest"
        let near = names.map { ($0, distance($0, wanted)) }.min { $0.1 < $1.1 }.flatMap { $0.1 <= max(2, wanted.count / 3) ? $0.0 : nil }
        return ImageError(
            "notFound", "there is no image `\(reference)`",
            fix: (near.map { "did you mean `\($0)`? " } ?? "") + "`terrine images` lists those that there are, `terrine build` makes one")
    }

    /// The least number of letters to change, add or drop.
    private func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let next = min(row[j + 1] + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }

    /// All images, named or not.
    func allImages() throws -> [Digest] {
        try chunks.index.read { try Data.fetchAll($0, sql: "SELECT digest FROM images") }.compactMap { Digest(bytes: $0) }
    }

    // MARK: pins

    /// Keeps images for `owner`, and none that it pinned before.
    ///
    /// - Parameter durable: whether also after the host died.
    public func pin(_ owner: String, _ images: [Digest], durable: Bool = true) throws {
        let lock = try rootsLock()
        defer { withExtendedLifetime(lock) {} }
        for image in images { _ = try manifestDigest(image) }
        let text = Set(images).map(\.description).sorted().joined(separator: "\n")
        try replaceFile("\(path)/pins/\(owner)", with: Array(text.utf8), durable: durable)
    }

    public func unpin(_ owner: String) throws {
        let file = "\(path)/pins/\(owner)"
        if removeName(file) != 0, errno != ENOENT { throw LinuxError("remove", file) }
    }

    /// Who pins anything.
    public func pins() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/pins").filter { !$0.contains(".new.") }.sorted()
    }

    func pinned(by owner: String) throws -> [Digest] {
        let file = "\(path)/pins/\(owner)"
        do { return String(decoding: try readFile(file), as: UTF8.self).split(separator: "\n").compactMap { Digest(String($0)) } } catch let error as LinuxError
            where error.code == ENOENT
        { return [] }
    }
}
