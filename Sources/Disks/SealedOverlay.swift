import Foundation
import Glibc
import Linux
import Synchronization

/// An overlay that takes no more writes: a link in a stack that any number of disks, also of other processes, read.
public final class SealedOverlay: Sendable {
    let overlay: Overlay
    private let recorded: Atomic<Bool>
    private let recording = Mutex(())

    /// The folder's name.
    public var id: String { overlay.id }
    public var folder: String { overlay.folder }
    public var size: Int64 { overlay.size }
    /// Bytes in its data file.
    public var dirtyBytes: Int64 { overlay.dirtyBytes }
    /// Whether its seal is durable; until then the disk's flush makes it so.
    public var isDurable: Bool { recorded.load(ordering: .acquiring) }

    /// Freezes `overlay`, whose disk has no write under way.
    init(freezing overlay: Overlay) {
        overlay.frozen.store(true, ordering: .sequentiallyConsistent)
        self.overlay = overlay
        recorded = Atomic(false)
    }

    private init(_ overlay: Overlay, recorded: Bool) {
        overlay.frozen.store(true, ordering: .sequentiallyConsistent)
        self.overlay = overlay
        self.recorded = Atomic(recorded)
    }

    /// Opens the sealed overlay in `folder`.
    ///
    /// An overlay whose seal had not become durable when its process or host died is sealed now, so name the new stack in a durable place
    /// *before* sealing.
    /// - Parameters:
    ///   - liveState: its live state, if it may be newer than the durable one.
    ///   - volatile: as in ``Overlay/create(in:size:liveState:volatile:)``: the seal makes nothing durable.
    public static func open(_ folder: String, liveState: Descriptor? = nil, volatile: Bool = false) throws -> SealedOverlay {
        let (overlay, sealed) = try Overlay.openAny(folder, liveState: liveState, sealing: true, volatile: volatile)
        let result = SealedOverlay(overlay, recorded: sealed)
        try result.record()
        return result
    }

    /// Makes content and seal durable.
    public func record() throws {
        try recording.withLock { _ in
            if isDurable { return }
            try overlay.flush()
            try overlay.settle()
            try overlay.stateFile.writeSeal()
            try overlay.stateFile.claim(folder, shared: true)
            recorded.store(true, ordering: .releasing)
        }
    }

    /// The 64 KiB chunks that it touches, ascending.
    public func changedChunks() -> [UInt64] {
        var chunks: [UInt64] = []
        // Nothing is thrown that is not thrown by the body.
        forEachChangedChunk(in: [overlay.states]) { chunks.append($0) }
        return chunks
    }
}

/// Calls `body` with every 64 KiB chunk that any overlay of `stack` touches, ascending.
func forEachChangedChunk(in stack: [OverlayStates], _ body: (UInt64) throws -> Void) rethrows {
    let pages = stack.map(\.pageCount).max() ?? 0
    for page in 0..<pages {
        let touching = stack.lazy.filter { $0.isTouched(page) }
        if touching.isEmpty { continue }
        for index in page * OverlayStates.wordsPerPage..<(page + 1) * OverlayStates.wordsPerPage {
            let word = touching.reduce(0) { $0 | $1.word(index) }
            if UInt32(truncatingIfNeeded: word) != 0 { try body(UInt64(index) * 2) }
            if word >> 32 != 0 { try body(UInt64(index) * 2 + 1) }
        }
    }
}
