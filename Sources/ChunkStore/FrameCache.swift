import Synchronization

/// A decompressed frame.
final class Frame: Sendable {
    let bytes: [UInt8]
    /// A bit for each chunk whose digest was found right.
    let verified = Atomic<UInt64>(0)

    init(bytes: [UInt8]) { self.bytes = bytes }
}

/// Decompressed frames; the least recently used are dropped when they are more than a number of bytes.
final class FrameCache: Sendable {
    struct Key: Hashable, Sendable {
        var pack: Int64
        var offset: Int64
    }
    private struct Entry {
        var frame: Frame
        var lastUse: UInt64
    }
    private struct State {
        var entries: [Key: Entry] = [:]
        var bytes = 0
        var clock: UInt64 = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    func frame(_ key: Key, load: () throws -> Frame) throws -> Frame {
        if let frame = find(key) { return frame }
        let frame = try load()
        state.withLock { state in
            state.clock += 1
            if state.entries.updateValue(Entry(frame: frame, lastUse: state.clock), forKey: key) == nil { state.bytes += frame.bytes.count }
            if state.bytes > limit { Self.shrink(&state, to: limit * 3 / 4) }
        }
        return frame
    }

    private func find(_ key: Key) -> Frame? {
        state.withLock { state in
            guard let position = state.entries.index(forKey: key) else { return nil }
            state.clock += 1
            state.entries.values[position].lastUse = state.clock
            return state.entries.values[position].frame
        }
    }

    /// Rarely, and then a quarter at once: cheaper than an order kept at every use.
    private static func shrink(_ state: inout State, to limit: Int) {
        for (key, entry) in state.entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
            if state.bytes <= limit { return }
            state.bytes -= entry.frame.bytes.count
            state.entries[key] = nil
        }
    }

    func removeAll() { state.withLock { $0 = State() } }
}
