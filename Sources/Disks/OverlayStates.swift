import CLinux
import Glibc
import Linux
import Synchronization

/// What an overlay holds of one block; two bits in its state, never guessed from holes in the data.
enum BlockState: UInt64 {
    /// Nothing: what lies below shows through.
    case absent = 0
    /// The block in the data file.
    case data = 1
    /// Zeroes, whatever lies below and whatever the data file says: a discarded block must not come back.
    case zero = 2

    /// A word of 32 blocks in this state.
    var pattern: UInt64 { rawValue &* Self.lowBits }
    static let lowBits: UInt64 = 0x5555_5555_5555_5555
}

/// The live state of an overlay's blocks: shared memory that may outlive this process, changed by many threads at once.
///
/// A page is the unit in which state is made durable. Pages that nothing was written to are never looked at, so that reading an empty
/// overlay takes no memory.
final class OverlayStates: Sendable {
    static let wordsPerPage = 510
    static let blocksPerPage = wordsPerPage * 32
    static let pageBytes = wordsPerPage * 8
    static let headerSize = 4096
    private static let magic: UInt64 = 0x3145_5649_4c4e_5254  // "TRNLIVE1"

    let blockCount: Int
    let pageCount: Int
    /// Whether the shared memory already held this overlay's state.
    let resumed: Bool

    // Mapped or allocated once and freed in `deinit`; all shared content is atomic.
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer
    private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>
    private nonisolated(unsafe) let touched: UnsafeMutablePointer<Atomic<Bool>>
    private nonisolated(unsafe) let dirty: UnsafeMutablePointer<Atomic<Bool>>
    private let length: Int
    private let dataBlockCount = Atomic<Int>(0)

    /// Maps `live`, or private memory; state that is there already must be that of the overlay with `identity`.
    init(diskSize: Int64, identity: OverlayIdentity, live: Descriptor?) throws {
        blockCount = DiskUnit.blocks(diskSize)
        pageCount = (blockCount + Self.blocksPerPage - 1) / Self.blocksPerPage
        let length = Self.headerSize + pageCount * Self.pageBytes
        self.length = length
        var found = false
        if let live {
            let header = try Self.readHeader(live)
            if header[0] == Self.magic {
                guard header[1] == UInt64(diskSize), header[2] == identity.high, header[3] == identity.low else {
                    throw DiskError(
                        "foreignState", "the live state that was handed over belongs to another overlay",
                        fix: "hand over the descriptor that this overlay was opened with, or an empty one")
                }
                found = true
            } else {
                // Empty, or its maker died before it was complete.
                try check("truncate", "live state") { ftruncate(live.raw, 0) }
            }
            try check("grow", "live state") { ftruncate(live.raw, length) }
        }
        let flags = live == nil ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
        guard let mapped = mmap(nil, length, PROT_READ | PROT_WRITE, flags, live?.raw ?? -1, 0), mapped != MAP_FAILED else {
            throw LinuxError("map", "live state")
        }
        resumed = found
        base = mapped
        words = (base + Self.headerSize).bindMemory(to: Atomic<UInt64>.self, capacity: pageCount * Self.wordsPerPage)
        touched = .allocate(capacity: pageCount)
        dirty = .allocate(capacity: pageCount)
        for page in 0..<pageCount {
            (touched + page).initialize(to: Atomic(false))
            (dirty + page).initialize(to: Atomic(false))
        }
        if found, let live {
            try forEachDataRange(of: live, subject: "live state") { range in
                let first = max(0, Int(range.lowerBound) - Self.headerSize) / Self.pageBytes
                let last = (Int(range.upperBound) - 1 - Self.headerSize) / Self.pageBytes
                guard Int(range.upperBound) > Self.headerSize else { return }
                for page in first...min(last, pageCount - 1) { try adopt(page) }
            }
        } else if live != nil {
            base.storeBytes(of: UInt64(diskSize), toByteOffset: 8, as: UInt64.self)
            base.storeBytes(of: identity.high, toByteOffset: 16, as: UInt64.self)
            base.storeBytes(of: identity.low, toByteOffset: 24, as: UInt64.self)
        }
    }

    deinit {
        munmap(base, length)
        touched.deallocate()
        dirty.deallocate()
    }

    /// Says that the state is whole: from here on the next process may go on with it.
    func markReady() { base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(Self.magic, ordering: .sequentiallyConsistent) }

    /// Blocks that are in the data file.
    var dataBlocks: Int { dataBlockCount.load(ordering: .relaxed) }

    /// Whether no block was ever written or discarded.
    var isEmpty: Bool { !(0..<pageCount).contains(where: isTouched) }

    /// Whether a block in this page may be other than absent.
    func isTouched(_ page: Int) -> Bool { page < pageCount && touched[page].load(ordering: .acquiring) }

    func word(_ index: Int) -> UInt64 { words[index].load(ordering: .acquiring) }

    func state(of block: Int) -> BlockState {
        guard block < blockCount, isTouched(block / Self.blocksPerPage) else { return .absent }
        return Self.state(in: word(block >> 5), block)
    }

    /// The state of block `start`, and the end of the run of blocks in that state, at most `end`.
    func run(from start: Int, to end: Int) -> (state: BlockState, end: Int) {
        let limit = min(end, blockCount)
        let first = state(of: start)
        var block = start
        while block < limit {
            let page = block / Self.blocksPerPage
            let pageEnd = min(limit, (page + 1) * Self.blocksPerPage)
            if !isTouched(page) {
                if first != .absent { return (first, block) }
                block = pageEnd
                continue
            }
            while block < pageEnd {
                let different = (word(block >> 5) ^ first.pattern) &>> UInt64((block & 31) * 2)
                if different != 0 {
                    block += different.trailingZeroBitCount / 2
                    if block >= limit { break }
                    return (first, block)
                }
                block = (block | 31) + 1
            }
            block = min(block, pageEnd)
        }
        // Past its own end an overlay holds nothing.
        return (first, first == .absent ? end : limit)
    }

    /// Puts blocks `start ..< end` into `state`. Their data is in the data file already.
    func set(_ state: BlockState, from start: Int, to end: Int) {
        var block = start
        while block < end {
            let index = block >> 5
            let next = min(end, (index + 1) << 5)
            let count = UInt64(next - block) * 2
            let mask = (count == 64 ? UInt64.max : (1 &<< count) &- 1) &<< UInt64((block & 31) * 2)
            let page = index / Self.wordsPerPage
            if !touched[page].load(ordering: .relaxed) { touched[page].store(true, ordering: .sequentiallyConsistent) }
            var old = words[index].load(ordering: .relaxed)
            while true {
                let new = (old & ~mask) | (state.pattern & mask)
                if new == old { break }
                let (exchanged, now) = words[index].weakCompareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent)
                if exchanged {
                    // After the change: a flush that clears the mark in between has seen the change.
                    dirty[page].store(true, ordering: .sequentiallyConsistent)
                    tally(new, instead: old)
                    break
                }
                old = now
            }
            block = next
        }
    }

    /// Takes the mark off a changed page; whoever does copies the page after it.
    func takeDirty(_ page: Int) -> Bool {
        dirty[page].load(ordering: .relaxed) && dirty[page].exchange(false, ordering: .sequentiallyConsistent)
    }

    func markDirty(_ page: Int) { dirty[page].store(true, ordering: .sequentiallyConsistent) }

    /// Copies a page's words, little endian.
    func copyPage(_ page: Int, to target: UnsafeMutableRawPointer) {
        let first = page * Self.wordsPerPage
        for index in 0..<Self.wordsPerPage {
            target.storeBytes(of: word(first + index).littleEndian, toByteOffset: index * 8, as: UInt64.self)
        }
    }

    /// Fills a page from its durable form.
    func loadPage(_ page: Int, from source: UnsafeRawPointer) throws {
        let first = page * Self.wordsPerPage
        for index in 0..<Self.wordsPerPage {
            words[first + index].store(UInt64(littleEndian: source.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)), ordering: .relaxed)
        }
        try adopt(page)
    }

    /// Counts in a page that was filled otherwise than by ``set(_:from:to:)``.
    private func adopt(_ page: Int) throws {
        if touched[page].load(ordering: .relaxed) { return }
        let first = page * Self.wordsPerPage
        for index in first..<first + Self.wordsPerPage {
            let word = word(index)
            guard word & (word &>> 1) & BlockState.lowBits == 0 else {
                throw DiskError("corrupt", "the state of block \(index * 32) and following is none that an overlay can have")
            }
            tally(word, instead: 0)
        }
        touched[page].store(true, ordering: .sequentiallyConsistent)
    }

    private func tally(_ new: UInt64, instead old: UInt64) {
        let change = (new & BlockState.lowBits).nonzeroBitCount - (old & BlockState.lowBits).nonzeroBitCount
        if change != 0 { dataBlockCount.wrappingAdd(change, ordering: .relaxed) }
    }

    private static func state(in word: UInt64, _ block: Int) -> BlockState {
        guard let state = BlockState(rawValue: (word &>> UInt64((block & 31) * 2)) & 3) else {
            // Checked when it was loaded, and nothing writes it.
            preconditionFailure("block \(block) is in an impossible state")
        }
        return state
    }

    private static func readHeader(_ live: Descriptor) throws -> [UInt64] {
        var header = [UInt64](repeating: 0, count: 4)
        _ = try header.withUnsafeMutableBytes { try live.read(into: $0, at: 0) }
        return header
    }
}

/// Calls `body` with every span of a sparse file that may hold something.
func forEachDataRange(of file: Descriptor, subject: String, _ body: (Range<Int64>) throws -> Void) throws {
    let seekData: Int32 = 3
    let seekHole: Int32 = 4
    var position: off_t = 0
    while true {
        let start = lseek(file.raw, position, seekData)
        if start < 0 {
            if errno == ENXIO { return }
            throw LinuxError("seek in", subject)
        }
        let end = try check("seek in", subject) { lseek(file.raw, start, seekHole) }
        try body(Int64(start)..<Int64(end))
        position = end
    }
}
