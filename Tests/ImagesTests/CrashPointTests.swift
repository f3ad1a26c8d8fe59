import ChunkStore
import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@testable import Images

@Suite("A process that dies at any of its steps")
struct CrashPointTests {
    private static let homeKey = "TERRINE_TEST_CRASH_HOME"
    private static let operationKey = "TERRINE_TEST_CRASH_OPERATION"

    /// What is done to a store that ``prepare(_:)`` made. Each may be done again after it was broken off.
    private static let operations: [String: @Sendable (ImageStore) throws -> Void] = [
        "write": { store in
            let image = try store.make([3: noise(30), 9: noise(31)], over: store.resolve("kept"))
            try store.tag("new", image)
        },
        "tag": { store in
            try store.tag("other", store.resolve("kept"))
            if try store.references().contains(where: { $0.name == "gone:latest" }) { try store.untag("gone") }
        },
        "pin": { store in
            try store.pin("machine-a", [store.resolve("kept").digest])
            try store.recordBuild("r", store.resolve("kept"))
            try store.unpin("machine-a")
        },
        "gc": { store in _ = try store.collectGarbage(cacheDays: 0) },
        "repack": { store in _ = try store.collectGarbage(repack: true) },
        "rebuild": { store in try store.rebuildIndex() },
        "repair": { store in
            // A flipped byte of the first pack, as long as there is one.
            _ = try store.repair(from: ImageStore.existing(at: store.home + "-copy"))
        },
    ]

    /// Not a test of its own: the process that is killed.
    @Test("one operation, until it is killed", .enabled(if: ProcessInfo.processInfo.environment[homeKey] != nil))
    func victim() throws {
        let environment = ProcessInfo.processInfo.environment
        let store = try ImageStore(home: try #require(environment[Self.homeKey]))
        let operation = try #require(Self.operations[environment[Self.operationKey] ?? ""])
        try operation(store)
    }

    @Test("killed before each write, rename, removal and sync in turn, a store is whole, and the same again finishes", arguments: operations.keys.sorted())
    func everyPoint(_ operation: String) throws {
        let template = try ScratchHome()
        try prepare(template)
        let copy = try ScratchHome()
        try run("cp", "-a", template.path + "/.", copy.path)
        if operation == "repair" {
            let pack = try #require(try template.open().chunks.packDigests().first)
            let file = try Descriptor(template.store + "/blobs/sha256/" + pack.hex, O_RDWR)
            try [UInt8](repeating: 0x5A, count: 4).withUnsafeBytes { try file.write($0, at: 40) }
        }
        var points = 0
        while true {
            let home = try ScratchHome()
            try run("cp", "-a", template.path + "/.", home.path)
            symlink(copy.path, home.path + "-copy")
            defer { unlink(home.path + "-copy") }
            let status = try kill(operation, home, at: points + 1)
            if status == .exited(0) { break }
            points += 1
            try #require(status == .signalled(SIGKILL), "\(operation) at \(points): \(status)")
            try expectWhole(home, operation, "killed at \(points)", again: false)
            // As the next process would.
            let body = try #require(Self.operations[operation])
            try body(home.open())
            try expectWhole(home, operation, "again after \(points)", again: true)
        }
        print("crash points: \(operation) was stopped at each of its \(points)")
        #expect(points > 1)
    }

    private func prepare(_ home: ScratchHome) throws {
        let store = try home.open()
        let base = try store.make(Dictionary(uniqueKeysWithValues: (0..<8).map { (UInt64($0), Optional(noise(UInt64($0) + 1))) }))
        try store.tag("kept", try store.make([0: noise(20)], over: base))
        // Little of its pack is needed when its name is gone.
        let big = try store.make(Dictionary(uniqueKeysWithValues: (0..<12).map { (UInt64($0), Optional(noise(UInt64($0) + 100))) }))
        try store.tag("small", try store.make([0: noise(100)]))
        try store.tag("gone", big)
        try store.cache("key", image: big, recipe: "r", step: "s", record: [:])
        try store.untag("gone")
        try store.tag("gone", base)
    }

    private func expectWhole(_ home: ScratchHome, _ operation: String, _ what: String, again: Bool) throws {
        let store = try home.open()
        let problems = try store.verify().problems
        // Damage that is being mended is there until it is.
        if operation != "repair" || again { #expect(problems.map(\.message) == [], "\(operation), \(what)") }
        if operation != "repair" || again {
            let kept = try store.resolve("kept")
            #expect(try store.bytes(of: kept, 0) == noise(20) && store.bytes(of: kept, 7) == noise(8), "\(operation), \(what)")
        }
        #expect(try store.bytes(of: store.resolve("small"), 0) == noise(100), "\(operation), \(what)")
        if again, operation == "write" { #expect(try store.bytes(of: store.resolve("new"), 9) == noise(31), "\(what)") }
    }

    private func kill(_ operation: String, _ home: ScratchHome, at point: Int) throws -> Linux.ExitStatus {
        var command = Command("/proc/self/exe", ["--testing-library", "swift-testing", "--filter", "CrashPointTests/victim"])
        command.environment =
            ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
            + ["\(Self.homeKey)=\(home.path)", "\(Self.operationKey)=\(operation)", "TERRINE_CRASH_AT=\(point)"]
        let quiet = try Descriptor("/dev/null", O_RDWR)
        command.descriptors = [0: quiet.raw, 1: quiet.raw, 2: quiet.raw]
        return try waitForExit(of: command.start())
    }

    private func run(_ program: String, _ arguments: String...) throws {
        let result = try Command(program, arguments).capture()
        try #require(result.status == .exited(0), "\(result.errors)")
    }
}
