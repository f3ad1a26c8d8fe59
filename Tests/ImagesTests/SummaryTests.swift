import ChunkStore
import Foundation
import Glibc
import TestSupport
import Testing

@testable import Images

@Suite("What is told of images")
struct SummaryTests {
    /// What an image reaches, counted from nothing.
    private static func reach(_ store: ImageStore, _ numbers: some Sequence<UInt32>) throws -> (plain: Int64, stored: Int64) {
        var reach = ChunkReach(store.chunks)
        for number in numbers { try reach.add(number) }
        return (reach.plainBytes, reach.storedBytes)
    }

    private static func check(_ store: ImageStore, _ images: [Image]) throws {
        let list = Dictionary(uniqueKeysWithValues: try store.list(all: true).map { ($0.digest, $0) })
        for image in images {
            let numbers = try store.map(of: image).numbers()
            let own = try reach(store, numbers)
            let stored = own.stored + (try store.manifest(of: image.digest).layerBytes)
            #expect(list[image.digest.description]?.storedBytes == stored)
            let inspection = try store.inspect(image)
            #expect(inspection.storedBytes == stored && inspection.allocatedBytes == own.plain)
            let ancestor = try store.history(image)[0]
            let parent = try image.parent.map { try Set(store.map(of: store.image($0)).numbers()) } ?? []
            #expect(try ancestor.addedBytes == reach(store, Set(numbers).subtracting(parent)).stored)
        }
    }

    /// A base, a chain over it that goes forth and back, and one beside it.
    private static func family(_ store: ImageStore) throws -> [Image] {
        let base = try store.make(Dictionary(uniqueKeysWithValues: (0..<24).map { (UInt64($0), Optional(noise(UInt64($0) + 1))) }), step: "base")
        let first = try store.make([3: noise(50), 4: nil, 30: noise(2), 31: noise(2)], over: base, step: "first")
        let same = try store.make([:], over: first, step: "same")
        let back = try store.make([3: noise(4), 4: noise(5), 30: nil, 31: nil, 40: noise(60)], over: same, step: "back")
        return [base, first, same, back, try store.make([0: noise(70)], over: base, step: "beside")]
    }

    @Test("sizes are those of what an image reaches, also after packs were written anew or the index was lost")
    func sizes() throws {
        let home = try ScratchHome()
        let store = try home.open()
        let images = try Self.family(store)
        try Self.check(store, images)
        for (number, image) in images.enumerated() { try store.tag("i:\(number)", image) }
        #expect(try store.list().map(\.layers) == images.map(\.layers.count))
        #expect(try store.history(images[3]).map(\.chunks) == [5, 0, 4, 24])
        let other = try home.open()
        #expect(try home.open().collectGarbage(repack: true).repacked?.chunks == 27)
        try Self.check(other, images)
        try store.chunks.index.write { try $0.execute(sql: "DROP TABLE images") }
        try Self.check(home.open(), images)
        #expect(try home.open().history(images[3]).map(\.chunks) == [5, 0, 4, 24])
    }

    @Test("a list is read from the index alone when nothing is new")
    func fromTheIndex() throws {
        let home = try ScratchHome()
        let images = try Self.family(home.open())
        let store = try home.open()
        for image in images { try store.tag("i:\(image.step ?? "")", image) }
        let list = try store.list(all: true)
        let history = try store.history(images[3])
        // No layer and no map is looked at.
        for image in images { for layer in try store.layers(of: image) { unlink(store.chunks.blobs.path(of: layer)) } }
        try FileManager.default.removeItem(atPath: home.store + "/maps")
        #expect(try home.open().list(all: true) == list && home.open().history(images[3]) == history)
    }

    @Test("a store of the first version opens, with all that it has")
    func firstVersion() throws {
        let home = try ScratchHome()
        let images = try Self.family(home.open())
        // The tables as that version made them.
        try home.open().chunks.index.write {
            try $0.execute(
                sql: """
                    ALTER TABLE packs RENAME TO newer;
                    CREATE TABLE packs (id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, bytes INTEGER NOT NULL);
                    INSERT INTO packs SELECT id, digest, bytes FROM newer;
                    DROP TABLE newer;
                    DROP TABLE moves;
                    DROP TABLE summaries;
                    PRAGMA user_version = 1;
                    """)
        }
        let store = try home.open()
        try Self.check(store, images)
        #expect(try store.bytes(of: images[1], 3) == noise(50))
        #expect(try store.bytes(of: store.make([9: noise(80)], over: images[1]), 9) == noise(80))
        #expect(try store.verify().problems.isEmpty)
    }
}
