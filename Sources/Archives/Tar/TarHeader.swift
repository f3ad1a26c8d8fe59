/// One block of 512 bytes that begins an entry, as it is on tape.
///
/// Source: POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".
struct TarHeader {
    static let blockBytes = 512

    /// With the prefix in front of it, when there is one.
    let name: [UInt8]
    let mode: Int64
    let user: Int64
    let group: Int64
    let size: Int64
    let modified: Int64
    let type: UInt8
    let link: [UInt8]
    let deviceMajor: Int64
    let deviceMinor: Int64

    /// A field that holds something else than the format says.
    struct Fault: Error { let text: String }

    /// - Parameter block: 512 bytes, not all zero.
    init(_ block: [UInt8]) throws {
        func text(_ range: Range<Int>) -> [UInt8] { Array(block[range].prefix { $0 != 0 }) }
        func number(_ range: Range<Int>, _ field: String) throws -> Int64 {
            guard let value = TarNumber.parse(block[range]) else { throw Fault(text: "its \(field) is no number") }
            return value
        }
        guard let sum = TarNumber.parse(block[148..<156]), sum == Self.sum(block) || sum == Self.signedSum(block) else {
            throw Fault(text: "its checksum is wrong")
        }
        let isPOSIX = block[257..<263].elementsEqual(Array("ustar\0".utf8))
        let isGNU = block[257..<265].elementsEqual(Array("ustar  \0".utf8))
        let prefix = isPOSIX ? text(345..<(block[508..<512].elementsEqual(Array("tar\0".utf8)) ? 476 : 500)) : []
        let own = text(0..<100)
        name = prefix.isEmpty ? own : prefix + [UInt8(ascii: "/")] + own
        mode = try number(100..<108, "mode")
        user = try number(108..<116, "owner")
        group = try number(116..<124, "group")
        size = try number(124..<136, "size")
        modified = try number(136..<148, "time")
        type = block[156]
        link = text(157..<257)
        let isDevice = type == UInt8(ascii: "3") || type == UInt8(ascii: "4")
        // Only devices have numbers; other writers leave what they like there.
        deviceMajor = isDevice && (isPOSIX || isGNU) ? try number(329..<337, "device number") : 0
        deviceMinor = isDevice && (isPOSIX || isGNU) ? try number(337..<345, "device number") : 0
    }

    /// Of all bytes, with blanks in the place of the sum itself.
    static func sum(_ block: [UInt8]) -> Int64 {
        var sum: Int64 = 8 * 32
        for (index, byte) in block.enumerated() where !(148..<156).contains(index) { sum += Int64(byte) }
        return sum
    }

    /// As some old programs computed it.
    private static func signedSum(_ block: [UInt8]) -> Int64 {
        var sum: Int64 = 8 * 32
        for (index, byte) in block.enumerated() where !(148..<156).contains(index) { sum += Int64(Int8(bitPattern: byte)) }
        return sum
    }
}

/// Numbers in headers: octal digits, or big-endian binary with the highest bit set.
enum TarNumber {
    static func parse(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first else { return nil }
        if first & 0x80 != 0 { return binary(field) }
        let blanks: Set<UInt8> = [0, 32]
        let digits = field.drop { blanks.contains($0) }
        let end = digits.firstIndex { blanks.contains($0) } ?? digits.endIndex
        // Nothing but blanks may follow.
        guard digits[end...].allSatisfy({ blanks.contains($0) }) else { return nil }
        var value: Int64 = 0
        for digit in digits[..<end] {
            guard (48..<56).contains(digit), value < 1 << 60 else { return nil }
            value = value << 3 | Int64(digit - 48)
        }
        return value
    }

    private static func binary(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first else { return nil }
        // Two's complement of all bits but the mark.
        let isNegative = first & 0x40 != 0
        var value: Int64 = isNegative ? -1 : 0
        for (index, byte) in field.enumerated() {
            let bits = index == 0 ? (isNegative ? byte | 0x80 : byte & 0x7f) : byte
            guard value >= -(1 << 55), value < 1 << 55 else { return nil }
            value = value << 8 | Int64(bits)
        }
        return value
    }

    /// `width - 1` octal digits and a NUL; nil for what has no room.
    static func octal(_ value: Int64, width: Int) -> [UInt8]? {
        guard value >= 0 else { return nil }
        let digits = Array(String(value, radix: 8).utf8)
        guard digits.count < width else { return nil }
        return Array(repeating: 48, count: width - 1 - digits.count) + digits + [0]
    }
}
