/// What a disk reads, from the newest overlay down to the image. Never changes: a seal makes another one.
final class DiskStack: Sendable {
    let source: (any ChunkSource)?
    /// Oldest first.
    let sealed: [SealedOverlay]
    let top: Overlay?
    /// Newest first.
    private let layers: [Overlay]
    private let readAhead: ReadAhead?

    init(source: (any ChunkSource)?, sealed: [SealedOverlay], top: Overlay?, readAhead: ReadAhead? = nil) {
        self.source = source
        self.sealed = sealed
        self.top = top
        self.readAhead = readAhead
        layers = (top.map { [$0] } ?? []) + sealed.reversed().map(\.overlay)
    }

    /// Fills `buffer` with what the disk holds at `offset`.
    func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws { try read(buffer, at: offset, from: 0) }

    private func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64, from depth: Int) throws {
        guard depth < layers.count else { return try readSource(buffer, at: offset) }
        let states = layers[depth].states
        let endBlock = DiskUnit.blocks(offset + Int64(buffer.count))
        var done = 0
        while done < buffer.count {
            let position = offset + Int64(done)
            let (state, end) = states.run(from: Int(position >> DiskUnit.blockShift), to: endBlock)
            // A block that changes while it is looked at can make an empty run; the next look settles it.
            let count = min(Int(Int64(end) << DiskUnit.blockShift - position), buffer.count - done)
            if count <= 0 { continue }
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            switch state {
            case .data: try layers[depth].readData(part, at: position)
            case .zero: part.clear()
            case .absent: try read(part, at: position, from: depth + 1)
            }
            done += count
        }
    }

    private func readSource(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        guard let source else {
            buffer.clear()
            return
        }
        var done = 0
        while done < buffer.count {
            let position = offset + Int64(done)
            let inside = Int(position) & (DiskUnit.chunk - 1)
            let count = min(DiskUnit.chunk - inside, buffer.count - done)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            try source.read(UInt64(position >> DiskUnit.chunkShift), into: part, at: inside)
            done += count
        }
        let end = UInt64((offset + Int64(buffer.count) - 1) >> DiskUnit.chunkShift) + 1
        readAhead?.note(UInt64(offset >> DiskUnit.chunkShift)..<end, of: source)
    }
}
