/// Calls `body` with every 64 KiB chunk that `stack` changes, ascending, and its bytes: fewer at the disk's end, nil when they are all zero.
///
/// - Parameters:
///   - stack: the overlays, oldest first; the last has the disk's size.
///   - source: what lies beneath them.
///   - skippingUnchanged: leaves out chunks whose bytes are those of `source`, which is read for it; whoever hashes the chunks anyway finds that out at less cost.
/// The bytes are the caller's only until `body` returns.
public func packSealed(
    _ stack: [SealedOverlay], over source: (any ChunkSource)?, skippingUnchanged: Bool = true,
    _ body: (_ index: UInt64, _ bytes: UnsafeRawBufferPointer?) throws -> Void
) throws {
    guard let size = stack.last?.size else { return }
    let disk = DiskStack(source: source, sealed: stack, top: nil)
    let base = DiskStack(source: source, sealed: [], top: nil)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * DiskUnit.chunk, alignment: DiskUnit.block)
    defer { memory.deallocate() }
    var prefetched: Int64 = 0
    try forEachChangedChunk(in: stack.map(\.overlay.states)) { index in
        let start = Int64(index) << DiskUnit.chunkShift
        guard start < size else { return }
        if start + prefetchWindow / 2 >= prefetched {
            let from = max(start, prefetched)
            for overlay in stack { overlay.overlay.prefetch(at: from, prefetchWindow) }
            prefetched = from + prefetchWindow
        }
        let count = Int(min(Int64(DiskUnit.chunk), size - start))
        let new = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
        try disk.read(new, at: start)
        let isZero = UnsafeRawBufferPointer(new).isAllZero
        if skippingUnchanged {
            if isZero, source?.isZero(index) ?? true { return }
            let old = UnsafeMutableRawBufferPointer(rebasing: memory[DiskUnit.chunk..<DiskUnit.chunk + count])
            try base.read(old, at: start)
            if new.holdsSame(as: old) { return }
        }
        try body(index, isZero ? nil : UnsafeRawBufferPointer(new))
    }
}

/// How far the disk reads ahead of who packs: large writes have gone past the page cache.
private let prefetchWindow: Int64 = 8 << 20
