import Trees

/// Times as PAX records have them: decimal seconds since 1970, with a fraction.
enum PaxTime {
    /// What ext4 can hold: https://www.kernel.org/doc/html/latest/filesystems/ext4/inodes.html, "Inode Timestamps".
    private static let bounds: ClosedRange<Int64> = -(1 << 31)...((1 << 34) - (1 << 31) - 1)

    /// The nearest time that a file system holds: one that is out of its range means nothing to anyone.
    static func nearest(_ seconds: Int64, _ nanoseconds: UInt32 = 0) -> FileTime {
        let held = min(max(seconds, bounds.lowerBound), bounds.upperBound)
        return FileTime(seconds: held, nanoseconds: held == seconds ? nanoseconds : 0)
    }

    /// From `-12.345`; nil for anything else.
    static func parse(_ text: [UInt8]) -> FileTime? {
        let isNegative = text.first == UInt8(ascii: "-")
        let parts = (isNegative ? text.dropFirst() : text[...]).split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first.flatMap({ PaxRecords.decimal($0) }) else { return nil }
        var nanoseconds: Int64 = 0
        if parts.count > 1, !parts[1].isEmpty {
            guard parts[1].allSatisfy({ (48..<58).contains($0) }) else { return nil }
            let nine = Array(parts[1].prefix(9)) + Array(repeating: 48, count: max(0, 9 - parts[1].count))
            nanoseconds = PaxRecords.decimal(nine[...]) ?? 0
        }
        if !isNegative { return nearest(whole, UInt32(nanoseconds)) }
        return nearest(nanoseconds > 0 ? -whole - 1 : -whole, UInt32(nanoseconds > 0 ? 1_000_000_000 - nanoseconds : 0))
    }

    /// Without a fraction when there is none.
    static func text(_ time: FileTime) -> String {
        if time.nanoseconds == 0 { return String(time.seconds) }
        func fraction(_ value: UInt32) -> String {
            let digits = String(value)
            return String(repeating: "0", count: 9 - digits.count) + digits
        }
        if time.seconds >= 0 { return "\(time.seconds).\(fraction(time.nanoseconds))" }
        return "-\(-time.seconds - 1).\(fraction(1_000_000_000 - time.nanoseconds))"
    }
}
