import Glibc

/// Names of machines: given by people, or drawn.
enum MachineName {
    /// What a name may be, as it is told to people.
    static let rule = "a name has 1 to 63 of a-z, 0-9, `-`, `_` and `.`, and begins with a letter or a digit"

    static func isValid(_ name: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        guard let first = name.utf8.first, isPlain(first), name.utf8.count <= 63 else { return false }
        return name.utf8.allSatisfy { isPlain($0) || [0x2D, 0x2E, 0x5F].contains($0) }
    }

    /// Two words and a number, which nobody has chosen.
    static func draw() -> String {
        "\(qualities[Int.random(in: 0..<qualities.count)])-\(herbs[Int.random(in: 0..<herbs.count)])-\(Int.random(in: 100...999))"
    }

    /// 16 hex digits that are never drawn again.
    static func drawID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static let qualities = ["brisk", "calm", "clear", "deep", "fresh", "keen", "light", "mild", "plain", "quick", "rich", "sharp", "still", "warm"]
    private static let herbs = ["anise", "basil", "caper", "chive", "clove", "cumin", "dill", "fennel", "laurel", "mace", "mint", "sage", "savory", "thyme"]
}
