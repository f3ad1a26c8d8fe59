import Foundation
import Glibc
import Linux

/// Inputs for a parser: damaged ones, made from whole ones, always the same for a seed.
public struct Fuzzer {
    /// How many inputs each parser gets: `TERRINE_FUZZ`, or a few thousand.
    public static let count = ProcessInfo.processInfo.environment["TERRINE_FUZZ"].flatMap { Int($0) } ?? 3000

    private let whole: [[UInt8]]
    private var random: SplitMix

    public init(_ whole: [[UInt8]], seed: UInt64 = 1) { (self.whole, random) = (whole, SplitMix(state: seed)) }

    /// Calls `body` with ``count`` inputs. It is to return or to throw; whatever it traps on ends the tests, and the file `TERRINE_FUZZ_INPUT` has it.
    public static func run(_ name: String, _ whole: [[UInt8]], _ body: ([UInt8]) throws -> Void) {
        var fuzzer = Fuzzer(whole)
        let keep = ProcessInfo.processInfo.environment["TERRINE_FUZZ_INPUT"]
        var errors = 0
        for _ in 0..<count {
            let input = fuzzer.next()
            // A test that cannot keep its input is still one.
            if let keep { try? Data(input).write(to: URL(filePath: keep)) }
            do { try body(input) } catch { errors += 1 }
        }
        print("fuzzed: \(name) with \(count) inputs, \(errors) of them refused")
    }

    /// Writes a file in place, and leaves it to the kernel when its disk gets it: a million times, that is most of the time.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try Descriptor(path, O_WRONLY | O_CREAT | O_TRUNC)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    }

    private mutating func below(_ limit: Int) -> Int { limit <= 0 ? 0 : Int(random.next() % UInt64(limit)) }

    public mutating func next() -> [UInt8] {
        var bytes = whole[below(whole.count)]
        for _ in 0...below(4) {
            if bytes.isEmpty { return bytes }
            let at = below(bytes.count)
            switch below(8) {
            case 0: bytes[at] ^= 1 << UInt8(below(8))
            case 1: bytes[at] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.removeLast(below(bytes.count))
            case 3: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(16)))
            case 4: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + below(64))], at: below(bytes.count))
            case 5:
                // Numbers at the edges of what they may be, where numbers are.
                let edges: [UInt64] = [0, 1, 0x7F, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, .max]
                let (edge, start) = (edges[below(edges.count)], at & ~3)
                for index in 0..<(below(2) == 0 ? 4 : 8) where start + index < bytes.count {
                    bytes[start + index] = UInt8(truncatingIfNeeded: edge >> UInt64(index * 8))
                }
            case 6: for index in at..<min(bytes.count, at + 1 + below(32)) { bytes[index] = 0xFF }
            default:
                // As text: a digit, a quote, a bracket in the place of something.
                bytes[at] = Array("0123456789-.eE\"{}[]:,null".utf8)[below(24)]
            }
        }
        return bytes
    }
}
