import Glibc

/// Serialises writers whose ranges of blocks overlap; all others go on side by side.
///
/// First come, first served: a request waits for every earlier one that it overlaps, also for one that waits itself. So whoever asks for
/// ``everything`` (a seal) gets it once the writes then under way are done, however many come after. Takes no memory after `init`: each
/// holder has one of a fixed number of slots, and with it a block of scratch memory.
final class RangeLock: Sendable {
    static let everything = 0...Int.max
    private static let capacity = 32

    private struct Slot {
        var first = 0
        var last = 0
        var ticket: UInt64 = 0
    }

    private let monitor = Monitor()
    // All guarded by `monitor`, but for the scratch blocks, which are their slot holder's.
    private nonisolated(unsafe) let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    private nonisolated(unsafe) let scratchBlocks = UnsafeMutableRawPointer.allocate(byteCount: capacity * DiskUnit.block, alignment: DiskUnit.block)
    private nonisolated(unsafe) var used: UInt32 = 0
    private nonisolated(unsafe) var nextTicket: UInt64 = 1
    private nonisolated(unsafe) var waiting = 0

    init() {
        slots.initialize(repeating: Slot(), count: Self.capacity)
        // Touched now, so that a write never has to wait for memory.
        memset(scratchBlocks, 0, Self.capacity * DiskUnit.block)
    }

    deinit {
        slots.deallocate()
        scratchBlocks.deallocate()
    }

    /// Waits until `blocks` are the caller's alone; returns the slot to give to ``unlock(_:)``.
    func lock(_ blocks: ClosedRange<Int>) -> Int {
        monitor.lock()
        defer { monitor.unlock() }
        while used == .max { wait() }
        let slot = (~used).trailingZeroBitCount
        used |= 1 << UInt32(slot)
        slots[slot] = Slot(first: blocks.lowerBound, last: blocks.upperBound, ticket: nextTicket)
        nextTicket += 1
        while isBlocked(slot) { wait() }
        return slot
    }

    func unlock(_ slot: Int) {
        monitor.lock()
        used &= ~(1 << UInt32(slot))
        if waiting > 0 { monitor.broadcast() }
        monitor.unlock()
    }

    /// One block of memory for the holder of `slot`.
    func scratch(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: scratchBlocks + slot * DiskUnit.block, count: DiskUnit.block)
    }

    private func wait() {
        waiting += 1
        monitor.wait()
        waiting -= 1
    }

    private func isBlocked(_ slot: Int) -> Bool {
        let mine = slots[slot]
        var others = used & ~(1 << UInt32(slot))
        while others != 0 {
            let other = slots[others.trailingZeroBitCount]
            if other.ticket < mine.ticket, other.first <= mine.last, mine.first <= other.last { return true }
            others &= others - 1
        }
        return false
    }
}
