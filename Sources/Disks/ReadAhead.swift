import Linux

/// Has a thread of its own fetch what will be read next: what was read at another start from this image, and what follows where an image is read in order.
final class ReadAhead: Sendable {
    /// Someone who reads in order: `next` chunk expected, `fetched` asked for up to there.
    private struct Stream {
        var next: UInt64 = 0
        var length: UInt64 = 0
        var fetched: UInt64 = 0
        var used: UInt64 = 0
    }

    /// Reads of one stream come from several threads, so not quite in order.
    private static let slack: UInt64 = 16
    private static let window: UInt64 = 32
    private static let minimum: UInt64 = 4

    private let monitor = Monitor()
    private let end: UInt64
    // Guarded by `monitor`.
    private nonisolated(unsafe) var streams = [Stream](repeating: Stream(), count: 4)
    private nonisolated(unsafe) var queue: [(chunks: Range<UInt64>, source: any ChunkSource, stream: Int)] = []
    private nonisolated(unsafe) var clock: UInt64 = 0
    private nonisolated(unsafe) var started = false
    private nonisolated(unsafe) var stopped = false
    private nonisolated(unsafe) var first: [UInt64] = []
    private nonisolated(unsafe) var seen: Set<UInt64> = []

    init(diskSize: Int64) { end = UInt64(diskSize + Int64(DiskUnit.chunk) - 1) >> UInt64(DiskUnit.chunkShift) }

    /// Tells of a read of these chunks.
    func note(_ chunks: Range<UInt64>, of source: any ChunkSource) {
        monitor.lock()
        defer { monitor.unlock() }
        if first.count < Disk.rememberedReads { for chunk in chunks where seen.insert(chunk).inserted && !source.isZero(chunk) { first.append(chunk) } }
        clock += 1
        guard
            let index = streams.indices.filter({
                streams[$0].used > 0 && chunks.lowerBound <= streams[$0].next + Self.slack && chunks.upperBound + Self.slack >= streams[$0].next
            }).max(by: { streams[$0].used < streams[$1].used })
        else {
            let oldest = streams.indices.min { streams[$0].used < streams[$1].used } ?? 0
            queue.removeAll { $0.stream == oldest }
            streams[oldest] = Stream(next: chunks.upperBound, length: 0, fetched: chunks.upperBound, used: clock)
            return
        }
        streams[index].used = clock
        guard chunks.upperBound > streams[index].next else { return }
        streams[index].length += chunks.upperBound - streams[index].next
        streams[index].next = chunks.upperBound
        guard streams[index].length >= Self.minimum else { return }
        let window = min(Self.window, streams[index].length)
        let first = max(streams[index].fetched, chunks.upperBound)
        let last = min(end, chunks.upperBound + window)
        // In pieces of half a window, so that the thread is not woken for every read.
        guard last > first, last - first >= min(window / 2, end - first) else { return }
        streams[index].fetched = last
        if let waiting = queue.firstIndex(where: { $0.stream == index }) {
            // The reader was faster: what it has passed is not worth fetching any more.
            queue[waiting] = (max(queue[waiting].chunks.lowerBound, chunks.upperBound)..<last, source, index)
        } else {
            queue.append((first..<last, source, index))
        }
        wake()
    }

    /// The chunks that were read first, in that order.
    var firstReads: [UInt64] {
        monitor.lock()
        defer { monitor.unlock() }
        return first
    }

    /// Fetches chunks before anybody asks for them, in this order.
    func fetch(_ chunks: [UInt64], of source: any ChunkSource) {
        monitor.lock()
        defer { monitor.unlock() }
        for chunk in chunks where chunk < end {
            if let last = queue.last, last.chunks.upperBound == chunk {
                queue[queue.count - 1].chunks = last.chunks.lowerBound..<chunk + 1
            } else {
                queue.append((chunk..<chunk + 1, source, -1))
            }
        }
        if !queue.isEmpty { wake() }
    }

    /// The monitor is locked.
    private func wake() {
        if !started {
            started = true
            // Without its thread the disk is only slower.
            do { _ = try PlainThread { self.work() } } catch { stopped = true }
        }
        monitor.broadcast()
    }

    /// Ends the thread, soon.
    func stop() {
        monitor.lock()
        stopped = true
        queue = []
        monitor.broadcast()
        monitor.unlock()
    }

    private func work() {
        while true {
            monitor.lock()
            while queue.isEmpty, !stopped { monitor.wait() }
            if stopped {
                monitor.unlock()
                return
            }
            let job = queue.removeFirst()
            monitor.unlock()
            job.source.prefetch(job.chunks)
        }
    }
}
