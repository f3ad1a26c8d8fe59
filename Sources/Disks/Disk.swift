import Glibc
import Linux
import Synchronization

/// A live copy-on-write disk: a writable overlay over sealed ones over an image.
///
/// Any number of threads call it at once, at any offset and length. A call has taken effect for all others when it returns, and is durable
/// after the next ``flush()``. Reads never wait for writes nor for a seal; writes wait for each other only where they overlap.
public final class Disk: BlockBackend {
    public let size: Int64
    private let ranges = RangeLock()
    private let readAhead: ReadAhead
    private let current: Mutex<DiskStack>

    /// - Parameters:
    ///   - source: the image, or nil for a blank disk; where it is smaller than the disk, zeroes follow.
    ///   - sealed: overlays between image and top, oldest first; none is larger than the disk.
    ///   - overlay: the writable top, of exactly the disk's size.
    ///   - expected: chunks of the image that will be read soon, first ones first: they are fetched meanwhile.
    public init(source: (any ChunkSource)?, sealed: [SealedOverlay] = [], overlay: Overlay, expected: [UInt64] = []) throws {
        size = overlay.size
        if let wrong = sealed.first(where: { $0.size > overlay.size }) {
            throw DiskError(
                "invalid", "the overlay \(wrong.folder) is larger than the disk of \(overlay.size) bytes over it", fix: "a disk can grow, not shrink")
        }
        readAhead = ReadAhead(diskSize: size)
        current = Mutex(DiskStack(source: source, sealed: sealed, top: overlay, readAhead: readAhead))
        if let source { readAhead.fetch(expected, of: source) }
    }

    /// The chunks of the image that were read first, in that order; ``rememberedReads`` at most.
    public var firstReads: [UInt64] { readAhead.firstReads }

    /// 8 MiB of chunks.
    public static let rememberedReads = 128

    deinit { readAhead.stop() }

    /// The sealed overlays that it stands on, oldest first.
    public var sealed: [SealedOverlay] { stack.sealed }
    /// The writable overlay on top.
    public var overlay: Overlay { get throws { try top(of: stack) } }
    /// Bytes written since the last seal, in whole blocks.
    public var dirtyBytes: Int64 { stack.top?.dirtyBytes ?? 0 }

    private var stack: DiskStack { current.withLock { $0 } }

    private func top(of stack: DiskStack) throws -> Overlay {
        guard let top = stack.top else { throw DiskError("internal", "a live disk has no overlay") }
        return top
    }

    /// Fills all of `buffer`.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        try requireInside(offset, Int64(buffer.count))
        if !buffer.isEmpty { try stack.read(buffer, at: offset) }
    }

    /// Writes all of `bytes`; may be repeated.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        func part(_ range: Range<Int64>) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[Int(range.lowerBound - offset)..<Int(range.upperBound - offset)])
        }
        try change(offset, Int64(bytes.count)) { change in
            if !change.head.isEmpty { try patch(change, change.head, part(change.head)) }
            if !change.body.isEmpty { try change.top.write(part(change.body), at: change.body.lowerBound) }
            if !change.tail.isEmpty { try patch(change, change.tail, part(change.tail)) }
        }
    }

    /// Drops what the range holds: it reads as zeroes, and never comes back.
    public func discard(at offset: Int64, length: Int64) throws { try writeZeroes(at: offset, length: length) }

    /// Makes the range zero; takes no space for it.
    public func writeZeroes(at offset: Int64, length: Int64) throws {
        try change(offset, length) { change in
            if !change.head.isEmpty { try patch(change, change.head, nil) }
            if !change.body.isEmpty {
                try change.top.zero(Int(change.body.lowerBound >> DiskUnit.blockShift)..<DiskUnit.blocks(change.body.upperBound))
            }
            if !change.tail.isEmpty { try patch(change, change.tail, nil) }
        }
    }

    /// Makes durable what was written before; one flush serves all who call at the same time.
    public func flush() throws {
        let stack = stack
        for overlay in stack.sealed where !overlay.isDurable { try overlay.overlay.flush() }
        try stack.top?.flush()
    }

    /// Freezes the overlay and goes on in `next`, an empty one of the same size.
    ///
    /// Writers wait only for the swap, whatever was written. The caller has flushed, or this takes as long as a flush, before the swap. If
    /// it fails before the swap nothing has changed; if recording the seal fails after it, the disk goes on in `next`, ``sealed`` has the
    /// overlay, and its next flush makes the content durable.
    /// - Parameter recording: false leaves ``SealedOverlay/record()`` to the caller, who has a pause to end first.
    @discardableResult
    public func seal(next: Overlay, recording: Bool = true) throws -> SealedOverlay {
        guard next.size == size, next.states.isEmpty else {
            throw DiskError("invalid", "the overlay \(next.folder) cannot follow on a disk of \(size) bytes", fix: "create an empty one of the same size")
        }
        try overlay.flush()
        let slot = ranges.lock(RangeLock.everything)
        let sealed: SealedOverlay
        do {
            defer { ranges.unlock(slot) }
            sealed = try current.withLock { stack in
                let sealed = SealedOverlay(freezing: try top(of: stack))
                stack = DiskStack(source: stack.source, sealed: stack.sealed + [sealed], top: next, readAhead: readAhead)
                return sealed
            }
        }
        if recording { try sealed.record() }
        return sealed
    }

    /// Puts `source` in the place of the image and the oldest sealed overlays, whose content together is the same.
    ///
    /// - Parameter dropping: the ids of these overlays, oldest first. Their folders are the caller's to remove, once no other disk reads them.
    public func rebase(source: (any ChunkSource)?, dropping ids: [String]) throws {
        try current.withLock { stack in
            guard stack.sealed.count >= ids.count, zip(stack.sealed, ids).allSatisfy({ $0.id == $1 }) else {
                throw DiskError(
                    "invalid", "the overlays \(ids.joined(separator: ", ")) are not the lowest of the disk",
                    cause: "it has \(stack.sealed.map(\.id).joined(separator: ", "))",
                    fix: "name them oldest first, without gaps")
            }
            stack = DiskStack(source: source, sealed: Array(stack.sealed[ids.count...]), top: stack.top, readAhead: readAhead)
        }
    }

    /// A change under way: its stack, its slot in the range lock, and its range in three: whole blocks, and what is less at either end.
    private struct Change {
        let stack: DiskStack
        let top: Overlay
        let slot: Int
        let head: Range<Int64>
        let body: Range<Int64>
        let tail: Range<Int64>
    }

    private func change(_ offset: Int64, _ length: Int64, _ body: (Change) throws -> Void) throws {
        try requireInside(offset, length)
        if length == 0 { return }
        let end = offset + length
        let slot = ranges.lock(Int(offset >> DiskUnit.blockShift)...Int((end - 1) >> DiskUnit.blockShift))
        defer { ranges.unlock(slot) }
        // After the lock: a seal may have changed it.
        let stack = stack
        let first = min(DiskUnit.roundUp(offset), end)
        // The disk's last block is whole when all of it that the disk has is.
        let last = max(first, end == size ? end : DiskUnit.roundDown(end))
        try body(Change(stack: stack, top: top(of: stack), slot: slot, head: offset..<first, body: first..<last, tail: last..<end))
    }

    /// Changes a part of one block: to `bytes`, or zeroes.
    private func patch(_ change: Change, _ range: Range<Int64>, _ bytes: UnsafeRawBufferPointer?) throws {
        let block = range.lowerBound >> DiskUnit.blockShift
        let state = change.top.states.state(of: Int(block))
        if bytes == nil, state == .zero { return }
        let scratch = ranges.scratch(change.slot)
        let blockStart = block << DiskUnit.blockShift
        let whole = UnsafeMutableRawBufferPointer(rebasing: scratch[..<Int(min(Int64(DiskUnit.block), size - blockStart))])
        let part = UnsafeMutableRawBufferPointer(rebasing: scratch[Int(range.lowerBound - blockStart)..<Int(range.upperBound - blockStart)])
        if state != .data { try change.stack.read(whole, at: blockStart) }
        if let bytes { part.copyMemory(from: bytes) } else { part.clear() }
        // A block that is in the data file already needs only the new bytes.
        if state == .data {
            try change.top.write(UnsafeRawBufferPointer(part), at: range.lowerBound)
        } else {
            try change.top.write(UnsafeRawBufferPointer(whole), at: blockStart)
        }
    }

    private func requireInside(_ offset: Int64, _ length: Int64) throws {
        guard offset >= 0, length >= 0, offset <= size, length <= size - offset else {
            throw DiskError("outOfRange", "bytes \(offset) to \(offset &+ length) are not on a disk of \(size) bytes")
        }
    }
}
