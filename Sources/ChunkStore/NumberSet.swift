/// Some of the numbers in a range, a bit for each: what chunks are needed, whatever their count, in an eighth of a byte each.
public struct NumberSet: Sendable {
    private var range: Range<Int>
    private var words: [UInt64]

    public init(_ range: Range<Int>) {
        self.range = range
        words = [UInt64](repeating: 0, count: (range.count + 63) / 64)
    }

    public func contains(_ number: Int) -> Bool {
        guard range.contains(number) else { return false }
        let bit = number - range.lowerBound
        return words[bit >> 6] & (1 << UInt64(bit & 63)) != 0
    }

    /// Takes numbers too that came after it was made: as far as the range of `newer` goes.
    public mutating func extend(to newer: NumberSet) {
        if range.isEmpty { self = newer }
        range = range.lowerBound..<max(range.upperBound, newer.range.upperBound)
        words += [UInt64](repeating: 0, count: max(0, (range.count + 63) / 64 - words.count))
    }

    /// Whether it is new; what is not in the range is not taken.
    @discardableResult
    public mutating func insert(_ number: Int) -> Bool {
        guard range.contains(number) else { return false }
        let bit = number - range.lowerBound
        let mask = UInt64(1) << UInt64(bit & 63)
        if words[bit >> 6] & mask != 0 { return false }
        words[bit >> 6] |= mask
        return true
    }
}
