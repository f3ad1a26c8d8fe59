import Glibc

/// Bytes that Linux calls a string: a file's name, a path, the target of a link, the name of an extended attribute. They need not be UTF-8.
///
/// Ordered by their bytes, as `LC_ALL=C sort` does.
public struct ByteString: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
    public init(_ text: String) { bytes = Array(text.utf8) }
    public init(stringLiteral text: String) { self.init(text) }

    public var isEmpty: Bool { bytes.isEmpty }
    public var count: Int { bytes.count }

    public static func < (a: ByteString, b: ByteString) -> Bool {
        let order = a.bytes.withUnsafeBytes { first in
            b.bytes.withUnsafeBytes { second -> Int32 in
                guard let one = first.baseAddress, let other = second.baseAddress else { return 0 }
                return memcmp(one, other, min(first.count, second.count))
            }
        }
        return order == 0 ? a.count < b.count : order < 0
    }

    /// The text for people: what is not UTF-8, and control characters, are written `\xNN`.
    public var description: String {
        if let text = String(validating: bytes, as: UTF8.self), !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return text }
        return bytes.map { byte in
            let digits = String(byte, radix: 16)
            return byte >= 0x20 && byte < 0x7F ? String(UnicodeScalar(byte)) : "\\x" + (digits.count < 2 ? "0" : "") + digits
        }.joined()
    }

    /// Whether a folder can have an entry of this name: 1 to 255 bytes, neither `.` nor `..`, no `/` and no NUL.
    public var isFileName: Bool {
        !bytes.isEmpty && bytes.count <= 255 && bytes != [0x2E] && bytes != [0x2E, 0x2E] && !bytes.contains { $0 == 0x2F || $0 == 0 }
    }

    /// This path with `name` after it; the empty path is the root.
    public func appending(_ name: ByteString) -> ByteString { isEmpty ? name : ByteString(bytes + [0x2F] + name.bytes) }

    /// The names in this path. `.` and empty ones are left out; `..` is kept as it is.
    public var components: [ByteString] {
        bytes.split(separator: 0x2F).filter { $0.elementsEqual([0x2E]) == false }.map { ByteString($0) }
    }
}
