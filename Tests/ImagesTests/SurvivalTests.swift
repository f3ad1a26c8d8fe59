import ChunkStore
import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@testable import Images

@Suite("What a store survives")
struct SurvivalTests {
    private static let homeKey = "TERRINE_TEST_WRITER_HOME"

    /// Not a test of its own: the process that ``kills()`` starts and kills.
    @Test("a process that writes, names, pins and collects until it is killed", .enabled(if: ProcessInfo.processInfo.environment[homeKey] != nil))
    func writer() throws {
        let home = try #require(ProcessInfo.processInfo.environment[Self.homeKey])
        let store = try ImageStore(home: home)
        var seed = UInt64(getpid()) * 1000
        // None yet, at first.
        var last = try? store.resolve("last")
        while true {
            seed += 1
            let image = try store.make([0: noise(seed % 50), seed % 40 + 1: noise(seed), 50: noise(seed + 1)], over: seed % 20 == 0 ? nil : last)
            try store.tag("last", image)
            if seed % 7 == 0 { try store.pin("machine-\(seed % 5)", [image.digest]) }
            if seed % 11 == 0 { _ = try store.collectGarbage(repack: seed % 2 == 0) }
            last = image
        }
    }

    @Test("killed at any moment, it opens whole, and the next writer goes on")
    func kills() throws {
        let home = try ScratchHome()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<6 {
            var command = Command("/proc/self/exe", ["--testing-library", "swift-testing", "--filter", "SurvivalTests/writer"])
            command.environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" } + ["\(Self.homeKey)=\(home.path)"]
            let quiet = try Descriptor("/dev/null", O_RDWR)
            command.descriptors = [0: quiet.raw, 1: quiet.raw, 2: quiet.raw]
            let child = try command.start()
            usleep(UInt32.random(in: 30_000...300_000, using: &random))
            kill(child, SIGKILL)
            #expect(try waitForExit(of: child) == .signalled(SIGKILL))
            let found = try home.open().verify()
            #expect(found.problems.isEmpty, "\(found.problems)")
        }
        let store = try home.open()
        _ = try store.collectGarbage()
        #expect(try store.verify().problems.isEmpty)
        let image = try store.make([3: noise(1)])
        #expect(try store.bytes(of: image, 3) == noise(1))
    }

    @Test("a full disk is an error that says so, and takes nothing that was finished", .enabled(if: getuid() == 0))
    func fullDisk() throws {
        let scratch = try ScratchHome()
        let home = scratch.path + "/full"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        try mount("none", at: home, type: "tmpfs", options: "size=16m")
        defer { try? unmount(home, lazily: true) }
        let kept: Image
        do {
            let store = try ImageStore(home: home)
            kept = try store.make([0: noise(1)])
            try store.tag("kept", kept)
            let error = #expect(throws: StoreError.self) {
                try store.make(Dictionary(uniqueKeysWithValues: (0..<300).map { (UInt64($0), Optional(noise(UInt64($0) + 10))) }), bytes: 1 << 30)
            }
            #expect(error?.code == "noSpace" && error?.fix?.contains("terrine gc") == true)
            #expect(try store.bytes(of: kept, 0) == noise(1))
            #expect(try FileManager.default.contentsOfDirectory(atPath: home + "/store/tmp").isEmpty)
        }
        let store = try ImageStore(home: home)
        #expect(try store.verify().problems.isEmpty)
        #expect(try store.bytes(of: store.make([1: noise(2)]), 1) == noise(2))
    }
}
