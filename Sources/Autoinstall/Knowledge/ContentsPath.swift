import Glibc

/// A path of a `Contents` index, split at its slashes without being copied: there are seven million of them.
struct ContentsPath {
    private let bytes: UnsafeRawBufferPointer
    private let parts: [Range<Int>]
    /// Deeper ones hold nothing that anybody looks for.
    private static let depthLimit = 24

    /// - Parameter bytes: without a `/` in front.
    init?(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        var parts: [Range<Int>] = []
        parts.reserveCapacity(12)
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "/") {
            parts.append(start..<index)
            start = index + 1
        }
        parts.append(start..<bytes.count)
        if parts.count > Self.depthLimit { return nil }
        self.parts = parts
    }

    var count: Int { parts.count }

    /// The names from `index` on.
    func names(from index: Int, dropping last: Int = 0) -> [String] {
        guard index < parts.count - last else { return [] }
        return parts[index..<(parts.count - last)].map(text)
    }

    /// A name; empty where there is none.
    subscript(_ index: Int) -> String { parts.indices.contains(index) ? text(parts[index]) : "" }

    var last: String { parts.last.map(text) ?? "" }

    func isPart(_ index: Int, _ name: StaticString) -> Bool {
        guard parts.indices.contains(index), parts[index].count == name.utf8CodeUnitCount else { return false }
        return matches(at: parts[index].lowerBound, name)
    }

    func begins(_ index: Int, _ name: StaticString) -> Bool {
        guard parts.indices.contains(index), parts[index].count >= name.utf8CodeUnitCount else { return false }
        return matches(at: parts[index].lowerBound, name)
    }

    func ends(_ ending: StaticString) -> Bool {
        let length = ending.utf8CodeUnitCount
        return bytes.count >= length && matches(at: bytes.count - length, ending)
    }

    private func matches(at offset: Int, _ text: StaticString) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        return memcmp(base + offset, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}
