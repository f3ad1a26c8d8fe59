import Foundation
import Synchronization

/// A decompressed frame.
///
/// Unchecked: its bytes are written before anyone else has it.
final class Frame: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
    /// A bit for each chunk whose digest was found right.
    let verified = Atomic<UInt64>(0)
    private let memory: UnsafeMutableRawBufferPointer
    private let spare: FrameMemory

    /// - Parameter fill: writes all `count` bytes.
    init(count: Int, from spare: FrameMemory, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        let memory = spare.take(count)
        do { try fill(memory) } catch {
            spare.give(memory)
            throw error
        }
        (self.memory, self.spare, bytes) = (memory, spare, UnsafeRawBufferPointer(memory))
    }

    deinit { spare.give(memory) }
}

/// Memory of frames that have gone, for those that come: the pages of new memory cost a fifth of what decompressing costs.
///
/// Unchecked: guarded by the lock.
final class FrameMemory: @unchecked Sendable {
    private static let most = 32
    private let lock = NSLock()
    private var free: [UnsafeMutableRawBufferPointer] = []

    func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
        lock.withLock { free.lastIndex { $0.count == count }.map { free.remove(at: $0) } } ?? .allocate(byteCount: count, alignment: 4096)
    }

    func give(_ memory: UnsafeMutableRawBufferPointer) {
        let dropped = lock.withLock {
            free.append(memory)
            return free.count > Self.most ? free.removeFirst() : nil
        }
        dropped?.deallocate()
    }

    deinit { for memory in free { memory.deallocate() } }
}

/// Decompressed frames; the least recently used are dropped when they are more than a number of bytes. A frame that several want is loaded once.
///
/// Unchecked: guarded by the condition.
final class FrameCache: @unchecked Sendable {
    struct Key: Hashable, Sendable {
        var pack: Int64
        var offset: Int64
    }
    private struct Entry {
        var frame: Frame
        var lastUse: UInt64
    }

    private let limit: Int
    private let condition = NSCondition()
    private var entries: [Key: Entry] = [:]
    private var loading: Set<Key> = []
    private var bytes = 0
    private var clock: UInt64 = 0

    init(limit: Int) { self.limit = limit }

    func frame(_ key: Key, load: () throws -> Frame) throws -> Frame {
        condition.lock()
        while true {
            if let position = entries.index(forKey: key) {
                clock += 1
                entries.values[position].lastUse = clock
                defer { condition.unlock() }
                return entries.values[position].frame
            }
            if loading.insert(key).inserted { break }
            condition.wait()
        }
        condition.unlock()
        // Who waits for a frame that could not be loaded tries it himself.
        let result = Result { try load() }
        let dropped = condition.withLock { () -> [Frame] in
            loading.remove(key)
            condition.broadcast()
            guard case .success(let frame) = result else { return [] }
            clock += 1
            entries[key] = Entry(frame: frame, lastUse: clock)
            bytes += frame.bytes.count
            return bytes > limit ? shrink(to: limit * 3 / 4) : []
        }
        // Outside the lock.
        withExtendedLifetime(dropped) {}
        return try result.get()
    }

    /// Rarely, and then a quarter at once: cheaper than an order kept at every use.
    private func shrink(to limit: Int) -> [Frame] {
        var dropped: [Frame] = []
        for (key, entry) in entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
            if bytes <= limit { break }
            bytes -= entry.frame.bytes.count
            entries[key] = nil
            dropped.append(entry.frame)
        }
        return dropped
    }

    func removeAll() {
        condition.withLock {
            entries = [:]
            bytes = 0
        }
    }
}
