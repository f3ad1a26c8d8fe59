import ChunkStore
import Foundation
import Linux
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite("What gc keeps, and for how long")
struct RetentionTests {
    private func keeping(builds: Int = 0, checkpoints: Int? = nil, age: Double? = nil) -> Retention {
        var retention = Retention()
        (retention.builds, retention.checkpoints, retention.checkpointAge) = (builds, checkpoints, age)
        return retention
    }

    @Test("the last builds of each recipe stay without a name, until somebody takes their last name away")
    func builds() throws {
        let home = try ScratchHome()
        var images: [Image] = []
        do {
            let store = try home.open()
            for seed in 1...4 {
                images.append(try store.make([0: noise(UInt64(seed))]))
                try store.tag("app", images[seed - 1])
                try store.recordBuild("app /work", images[seed - 1])
            }
            let other = try store.make([0: noise(9)])
            try store.recordBuild("other /work", other)
            images.append(other)
        }
        func left() throws -> [Bool] { try images.map { try home.open().allImages().contains($0.digest) } }
        _ = try home.open().collectGarbage(retention: keeping(builds: 2))
        #expect(try left() == [false, false, true, true, true])
        // The index can be lost, and with it nothing of this.
        try home.open().rebuildIndex()
        _ = try home.open().collectGarbage(retention: keeping(builds: 2))
        #expect(try left() == [false, false, true, true, true])
        try home.open().untag("app")
        _ = try home.open().collectGarbage(retention: keeping(builds: 2))
        #expect(try left() == [false, false, true, false, true])
        _ = try home.open().collectGarbage(retention: keeping(builds: 0))
        #expect(try home.open().allImages().isEmpty && home.open().pins().isEmpty)
    }

    @Test("superseded checkpoints go by number and by age; the newest of a line, other names and what machines stand on stay")
    func checkpoints() throws {
        let home = try ScratchHome()
        var line: [Image] = []
        let fork: Image
        do {
            let store = try home.open()
            var last = try store.make([0: noise(100)])
            try store.tag("base", last)
            for seed in 1...6 {
                last = try store.make([UInt64(seed): noise(UInt64(seed))], over: last, step: Image.checkpointStep)
                if seed != 5 { try store.tag("m:\(seed)", last, checkpointOf: "m") }
                line.append(last)
            }
            fork = try store.make([20: noise(20)], over: line[0], step: Image.checkpointStep)
            try store.tag("f:1", fork, checkpointOf: "f")
            try store.tag("kept", line[1])
            try store.pin("machine-x", [line[2].digest])
        }
        func names() throws -> [String] { try home.open().references().map(\.name) }
        // Nobody asked.
        #expect(try home.open().collectGarbage(grace: 60).names == 0)
        #expect(try home.open().collectGarbage(grace: 60, retention: keeping(age: 3600)).names == 0)
        // The fifth, without a name, is one of the last two; the first is right below its fork.
        #expect(try home.open().collectGarbage(retention: keeping(checkpoints: 2)).names == 2)
        #expect(try names() == ["base:latest", "f:1", "kept:latest", "m:1", "m:3", "m:6"])
        #expect(try home.open().image(line[4].digest) == line[4])
        #expect(try home.open().collectGarbage(retention: keeping(age: 0)).names == 1)
        #expect(try names() == ["base:latest", "f:1", "kept:latest", "m:3", "m:6"])
        let store = try home.open()
        #expect(try store.verify().problems.isEmpty)
        #expect(throws: ImageError.self) { try store.image(line[3].digest) }
        #expect(try store.bytes(of: line[5], 4) == noise(4) && store.bytes(of: fork, 1) == noise(1))
    }

    @Test("a full store gives up cached steps, the oldest first, and refuses work only when names and machines alone are too much")
    func quota() throws {
        let home = try ScratchHome()
        do {
            let store = try home.open()
            for seed in 1...6 {
                let image = try store.make([0: noise(UInt64(seed)), 1: noise(UInt64(seed) + 50)], cacheKey: "key\(seed)")
                try store.cache("key\(seed)", image: image, recipe: "r", step: "s\(seed)", record: [:])
                let used = Date().timeIntervalSince1970 - 1000 + Double(seed)
                try store.chunks.index.write { try $0.execute(sql: "UPDATE cache SET used = ? WHERE key = ?", arguments: [used, "key\(seed)"]) }
            }
            try store.tag("named", try store.make([0: noise(90), 1: noise(91)]))
        }
        // Room for four of the seven.
        let each = try home.blobBytes() / 7
        let limit = Int64(each * 4 + each / 2)
        do {
            let store = try ImageStore(home: home.path, limit: limit)
            _ = try store.make([0: noise(70), 1: noise(71)])
        }
        let store = try ImageStore(home: home.path, limit: limit)
        #expect(try store.blobBytes() <= limit + Int64(each))
        #expect(try (1...6).filter { try store.cached("key\($0)") != nil } == [4, 5, 6])
        let error = #expect(throws: ImageError.self) { try store.collectGarbage(maxBytes: Int64(each / 2)) }
        #expect(error?.code == "quota" && error?.cause?.contains("named:latest") == true && error?.fix?.contains("terrine rmi") == true)
        let small = try ImageStore(home: home.path, limit: Int64(each / 2))
        #expect(throws: ImageError.self) { try small.make([0: noise(80)]) }
        #expect(try small.bytes(of: small.resolve("named"), 0) == noise(90))
        try store.untag("named")
        #expect(try store.verify().problems.isEmpty)
    }

    @Test("half-needed packs are written anew before anything is given up")
    func quotaCompacts() throws {
        let home = try ScratchHome()
        do {
            let store = try home.open()
            let big = try store.make(Dictionary(uniqueKeysWithValues: (0..<40).map { (UInt64($0), Optional(noise(UInt64($0) + 1))) }))
            let kept = try store.make(Dictionary(uniqueKeysWithValues: (0..<30).map { (UInt64($0), Optional(noise(UInt64($0) + 1))) }), cacheKey: "key")
            try store.cache("key", image: kept, recipe: "r", step: "s", record: [:])
            #expect(big.digest != kept.digest)
        }
        _ = try home.open().collectGarbage()
        #expect(try home.blobBytes() > 39 * 65536)
        _ = try home.open().collectGarbage(maxBytes: 33 * 65536)
        #expect(try home.blobBytes() < 33 * 65536)
        let store = try home.open()
        let image = try #require(try store.cached("key"))
        #expect(try store.bytes(of: image, 29) == noise(30))
    }

    @Test("two collectors and eight builds at once lose nothing that has a name")
    func crowd() throws {
        let home = try ScratchHome()
        _ = try home.open()
        let failures = Mutex<[String]>([])
        let writing = Mutex(8)
        let writers = try (0..<8).map { thread in
            try PlainThread {
                defer { writing.withLock { $0 -= 1 } }
                do {
                    let store = try home.open()
                    var last: Image?
                    for round in 0..<6 {
                        let key = "\(thread)/\(round)"
                        let image = try store.make([UInt64(round): noise(UInt64(thread * 10 + round) + 1), 40: noise(UInt64(round) + 500)], over: last)
                        try store.cache(key, image: image, recipe: "r\(thread)", step: "s\(round)", record: [:])
                        last = image
                    }
                    guard let last else { return }
                    try store.tag("t\(thread)", last)
                    try store.recordBuild("r\(thread)", last)
                    for round in 0..<6 where try store.bytes(of: last, UInt64(round)) != noise(UInt64(thread * 10 + round) + 1) {
                        failures.withLock { $0.append("wrong bytes in \(thread)/\(round)") }
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        let collectors = try (0..<2).map { _ in
            try PlainThread {
                do {
                    let store = try home.open()
                    while writing.withLock({ $0 > 0 }) { _ = try store.collectGarbage(cacheDays: 0) }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        for thread in writers + collectors { thread.join() }
        #expect(failures.withLock { $0 } == [])
        let store = try home.open()
        _ = try store.collectGarbage(cacheDays: 0)
        #expect(try store.references().count == 8)
        #expect(try store.verify().problems.isEmpty)
    }
}
