import Foundation
import Glibc
import Images
import Linux
import Testing

@testable import Machines

@Suite struct MachineFileTests {
    static func sample(_ name: String = "web") -> MachineFile {
        MachineFile(
            name: name, id: MachineName.drawID(), created: 1, state: .running, image: "sha256:" + String(repeating: "ab", count: 32), imageReference: "py:1",
            sealed: ["a"], top: "b", origin: ["a"], diskSize: 1 << 30, settings: MachineFile.Settings())
    }

    @Test func whatIsSavedIsLoaded() throws {
        try withFolder { folder in
            var file = Self.sample()
            file.settings.network = .open(allow: ["10.0.0.0/8"])
            file.settings.binds = [Bind(source: "/a", target: "/b", readOnly: true)]
            file.keeper = .current
            try file.save(folder + "/machine.json")
            #expect(try MachineFile.load(folder + "/machine.json") == file)
            #expect(file.overlays == ["a", "b"])
        }
    }

    @Test func aFileOfAnotherVersionOrNoneAtAllIsSaidSo() throws {
        try withFolder { folder in
            var file = Self.sample()
            file.version = 99
            try file.save(folder + "/machine.json")
            #expect(throws: MachineError.self) { try MachineFile.load(folder + "/machine.json") }
            try replaceFile(folder + "/machine.json", with: Array("{}".utf8))
            let error = #expect(throws: MachineError.self) { try MachineFile.load(folder + "/machine.json") }
            #expect(error?.code == "corrupt")
        }
    }

    /// The file of a machine that goes with its owner is not synced: when the host dies it may have its name and its length, and zeroes for content.
    @Test func aFileThatThePowerTookIsClearedAwayOnlyWhenNobodyCanWantItsMachine() throws {
        try withFolder { home in
            let host = try MachineHost(home: home, images: ImageStore(home: home))
            func lose(_ name: String, owner: ProcessIdentity?) throws -> String {
                let folder = home + "/machines/" + name
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                var file = Self.sample(name)
                (file.state, file.owner) = (.stopped, owner)
                try file.save(folder + "/machine.json")
                let lost = try Descriptor(folder + "/machine.json", O_RDWR | O_TRUNC)
                try [UInt8](repeating: 0, count: 700).withUnsafeBytes { try lost.write($0, at: 0) }
                return folder
            }
            let owned = try lose("owned", owner: .current)
            #expect(try host.reap().overlayBytes == 0)
            #expect(access(owned, F_OK) != 0)

            let kept = try lose("kept", owner: nil)
            #expect(try host.verify().problems.map(\.message).contains { $0.contains("kept/machine.json is not a machine's file") })
            // It may name any overlay.
            let overlay = home + "/overlays/b"
            try FileManager.default.createDirectory(atPath: overlay, withIntermediateDirectories: true)
            #expect(throws: MachineError.self) { try host.reap() }
            #expect(access(kept, F_OK) == 0 && access(overlay, F_OK) == 0)
        }
    }

    @Test func aMachineWhoseKeeperDiedIsLost() throws {
        var file = Self.sample()
        file.keeper = .current
        #expect(file.condition == .running)
        file.keeper = ProcessIdentity(pid: 1, startTime: 1, bootID: "another boot")
        #expect(file.condition == .lost)
        file.state = .stopped
        #expect(file.condition == .stopped)
    }

    @Test func aForkSharesTheDiskAndNothingElse() {
        var parent = Self.sample()
        parent.keeper = .current
        parent.settings.environment = ["A": "b"]
        parent.settings.ports = [.init(host: 8080, machine: 80)]
        let state = DiskState(image: .init("sha256:" + String(repeating: "cd", count: 32))!, sealed: ["a", "b"])
        let child = MachineFile(fork: parent, of: state, name: "child", now: 2)
        #expect(child.sealed == ["a", "b"] && child.origin == ["a", "b"] && child.top != parent.top && child.id != parent.id)
        #expect(child.settings.ports.isEmpty && child.settings.environment == ["A": "b"] && child.keeper == nil && child.parent == "web")
    }

    @Test(arguments: ["a", "web-1", "0.9_x", String(repeating: "a", count: 63)]) func goodNames(_ name: String) { #expect(MachineName.isValid(name)) }

    @Test(arguments: ["", ".", "..", "-a", ".lock", "a/b", "Web", "a b", String(repeating: "a", count: 64)]) func badNames(_ name: String) {
        #expect(!MachineName.isValid(name))
    }

    @Test func drawnNamesAreValid() { for _ in 0..<100 { #expect(MachineName.isValid(MachineName.draw()) && MachineName.drawID().count == 16) } }
}

/// Runs `body` with a new folder, which is removed afterwards.
func withFolder<T>(_ body: (String) throws -> T) throws -> T {
    let folder = NSTemporaryDirectory() + "/terrine-machines-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let result = Result { try body(folder) }
    try FileManager.default.removeItem(atPath: folder)
    return try result.get()
}
