import Crypto

/// A SHA-256 digest, written `sha256:` and 64 hex digits.
public struct Digest: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Of exactly 32 bytes.
    public init?(bytes: some Sequence<UInt8>) {
        let all = Array(bytes)
        guard all.count == 32 else { return nil }
        self.init(
            words: all.withUnsafeBytes { raw in
                func word(_ index: Int) -> UInt64 { UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
                return (word(0), word(1), word(2), word(3))
            })
    }

    /// From `sha256:` and 64 hex digits, or the digits alone.
    public init?(_ text: String) {
        let digits = text.hasPrefix("sha256:") ? text.dropFirst(7) : Substring(text)
        guard digits.utf8.count == 64 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        var high: UInt8?
        for character in digits.utf8 {
            let value: UInt8
            switch character {
            case 0x30...0x39: value = character - 0x30
            case 0x61...0x66: value = character - 0x61 + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self.init(bytes: bytes)
    }

    public static func of(_ bytes: UnsafeRawBufferPointer) -> Digest {
        var hasher = SHA256()
        hasher.update(bufferPointer: bytes)
        return Digest(hasher.finalize())
    }

    public static func of(_ bytes: [UInt8]) -> Digest { bytes.withUnsafeBytes { of($0) } }

    init(_ digest: SHA256.Digest) {
        self.init(
            words: digest.withUnsafeBytes { raw in
                func word(_ index: Int) -> UInt64 { UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
                return (word(0), word(1), word(2), word(3))
            })
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(32)
        for word in [words.0, words.1, words.2, words.3] {
            for shift in stride(from: 56, through: 0, by: -8) { result.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
        }
        return result
    }

    /// 64 hex digits.
    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    public var description: String { "sha256:\(hex)" }

    public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }
    public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }
    public func hash(into hasher: inout Hasher) {
        // Its own bits are as random as any.
        hasher.combine(words.0)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.hasPrefix("sha256:"), let digest = Digest(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "`\(text)` is not `sha256:` and 64 hex digits")
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
