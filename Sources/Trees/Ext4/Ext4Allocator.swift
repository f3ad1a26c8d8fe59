/// Gives out a new file system's blocks from the first to the last, leaving out its own.
struct Ext4Allocator {
    private let geometry: Ext4Geometry
    private let size: Int64
    private var next = 0
    private var reserved: ArraySlice<Range<Int>>

    init(_ geometry: Ext4Geometry, size: Int64) { (self.geometry, self.size, reserved) = (geometry, size, geometry.reserved[...]) }

    /// - Returns: runs, ascending, of `count` blocks together.
    mutating func take(_ count: Int) throws -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var missing = count
        while missing > 0 {
            while let first = reserved.first, first.lowerBound <= next {
                next = max(next, first.upperBound)
                reserved.removeFirst()
            }
            let end = min(reserved.first?.lowerBound ?? geometry.blocks, next + missing)
            guard end > next, end <= geometry.blocks else { throw Ext4Geometry.noSpace(size) }
            runs.append(next..<end)
            missing -= end - next
            next = end
        }
        return runs
    }

    mutating func takeOne() throws -> Int { try take(1)[0].lowerBound }

    /// Everything that is taken or the file system's own, ascending.
    var used: [Range<Int>] {
        var result: [Range<Int>] = []
        var position = 0
        for range in geometry.reserved {
            if position < min(next, range.lowerBound) { result.append(position..<min(next, range.lowerBound)) }
            result.append(range)
            position = range.upperBound
        }
        if position < next { result.append(position..<next) }
        return result
    }
}
