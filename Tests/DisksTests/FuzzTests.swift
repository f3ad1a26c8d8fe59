import Foundation
import Glibc
import Linux
import TestSupport
import Testing

@testable import Disks

@Suite("Damaged overlays") struct FuzzTests {
    @Test("whatever the state and the checksums of an overlay say, they are refused or read")
    func overlays() throws {
        let scratch = try ScratchFolder()
        try OverlayFormatTests.makeExample(in: scratch.path)
        let folder = scratch.path + "/example"
        let state = try readFile(folder + "/state")
        let sums = try readFile(folder + "/checksums")
        Fuzzer.run("overlay states", [state]) { input in
            try Fuzzer.write(input, to: folder + "/state")
            _ = try RestingOverlay(folder).verify()
        }
        try Fuzzer.write(state, to: folder + "/state")
        let overlay = try RestingOverlay(folder)
        #expect(try overlay.verify() == [])
        Fuzzer.run("overlay checksums", [sums]) { input in
            try Fuzzer.write(input, to: folder + "/checksums")
            _ = try overlay.verify()
        }
    }

    @Test("a header with its checksum right is refused when its numbers are not")
    func headers() throws {
        let scratch = try ScratchFolder()
        try OverlayFormatTests.makeExample(in: scratch.path)
        let path = scratch.path + "/example/state"
        let whole = try readFile(path)
        Fuzzer.run("overlay headers", [Array(whole[..<64])]) { input in
            var bytes = whole
            for (index, byte) in input.prefix(64).enumerated() { bytes[index] = byte }
            // The page's own sum, over all before it.
            let sum = bytes.withUnsafeBytes { XXHash64.hash(UnsafeRawBufferPointer(rebasing: $0[..<4088])) }
            for index in 0..<8 { bytes[4088 + index] = UInt8(truncatingIfNeeded: sum >> UInt64(index * 8)) }
            try Fuzzer.write(bytes, to: path)
            _ = try RestingOverlay(scratch.path + "/example").verify()
        }
    }
}
