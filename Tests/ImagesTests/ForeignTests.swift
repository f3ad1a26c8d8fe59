import ChunkStore
import Foundation
import Glibc
import TestSupport
import Testing

@testable import Images

@Suite("Images whose blocks a stranger wrote")
struct ForeignTests {
    /// An image of one chunk more than its parent's.
    private func write(_ store: ImageStore, _ seed: UInt64, over parent: Image? = nil, step: String? = nil, from origin: String? = nil) throws -> Image {
        var draft = ImageDraft(parent: parent, virtualBytes: 1 << 20, environment: [:], machine: MachineDefaults(), step: step, cacheKey: nil)
        draft.foreignOrigin = origin
        return try store.write(draft) { writer in try noise(seed).withUnsafeBytes { try writer.add(seed, $0) } }
    }

    @Test("the mark goes on to all that is made on top, and is no part of the image")
    func marks() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let image = try write(store, 1, from: "/srv/disk.raw")
        let child = try write(store, 2, over: image, step: "next")
        let labelled = try store.labelled(child, treeDigest: image.digest)
        let own = try write(store, 1, step: "own")
        for marked in [image, child, labelled] { #expect(try store.foreignOrigin(of: marked.digest) == "/srv/disk.raw") }
        #expect(try store.foreignOrigin(of: own.digest) == nil && !store.isForeign(own.digest))
        #expect(try store.inspect(child).foreignOrigin == "/srv/disk.raw" && store.inspect(own).foreignOrigin == nil)
        // The index can be lost, and with it nothing of this.
        try store.rebuildIndex()
        #expect(store.isForeign(image.digest) && store.isForeign(child.digest))
        // The very same, made here.
        #expect(try write(store, 1).digest == image.digest)
        #expect(!store.isForeign(image.digest) && store.isForeign(child.digest))
    }

    @Test("a mark goes with its image, but not before the image can have come")
    func collected() throws {
        let home = try ScratchHome()
        let (gone, early) = (Digest.of(noise(7)), Digest.of(noise(8)))
        let kept: Image
        do {
            let store = try home.open()
            kept = try write(store, 1, from: "here")
            try store.tag("kept", kept)
            for digest in [gone, early] { try store.markForeign(digest, from: "there") }
            let old = timeval(tv_sec: time(nil) - 90000, tv_usec: 0)
            for digest in [gone, kept.digest] { #expect(utimes("\(home.store)/foreign/\(digest.hex)", [old, old]) == 0) }
        }
        let store = try home.open()
        _ = try store.collectGarbage()
        #expect(!store.isForeign(gone) && store.isForeign(early) && store.isForeign(kept.digest))
    }
}
