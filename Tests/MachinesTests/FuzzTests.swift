import Foundation
import Linux
import TestSupport
import Testing

@testable import Images
@testable import Machines

@Suite("Damaged machine files") struct FuzzTests {
    @Test("whatever a machine's file says, it is refused or read")
    func machineFiles() throws {
        var file = MachineFile(
            name: "m", id: "0123456789abcdef", created: 1, state: .running, image: "sha256:" + String(repeating: "a", count: 64), imageReference: "a:1",
            sealed: ["x"], top: "y", origin: [], diskSize: 1 << 30, settings: .init())
        (file.keeper, file.expires) = (.current, 9)
        file.settings.ports = [.init(host: 1, machine: 2)]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        let whole = Array(try encoder.encode(file))
        let path = NSTemporaryDirectory() + "terrine-fuzz-\(getpid()).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        Fuzzer.run("machine files", [whole]) { input in
            try Fuzzer.write(input, to: path)
            let read = try MachineFile.load(path)
            _ = (read.condition, read.overlays, try read.imageDigest())
        }
    }
}
