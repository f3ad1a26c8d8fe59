import Linux
import Synchronization

/// Makes full packs durable behind the compression, one at a time: a sync of 64 MiB takes as long as compressing as much.
///
/// Unchecked: one thread at a time uses it, and the box it hands over is the other thread's until that is joined.
final class PackPublisher: @unchecked Sendable {
    private struct Box: @unchecked Sendable {
        let pack: ClosedPack
    }
    private var thread: PlainThread?
    private let failure = Mutex<(any Error)?>(nil)

    func publish(_ pack: ClosedPack, into index: ChunkIndex) throws {
        try wait()
        let box = Box(pack: pack)
        thread = try PlainThread { [self] in
            do { try box.pack.publish(into: index) } catch { failure.withLock { $0 = error } }
        }
    }

    /// Until the last one is durable.
    func wait() throws {
        join()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    func join() {
        thread?.join()
        thread = nil
    }
}
