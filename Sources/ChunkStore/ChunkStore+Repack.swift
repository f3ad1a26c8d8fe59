import Foundation
import Linux
import Synchronization

extension ChunkStore {
    /// zstd's, of what lives on.
    static let repackLevel: Int32 = 9
    /// Chunks that are then compressed together: 1 MiB.
    static let repackFrameChunks = 16
    /// Frames that are read and compressed before they are written, in their order.
    private static let framesAtOnce = 32

    /// What was written anew.
    public struct Repacked: Codable, Sendable {
        public var packs = 0
        public var chunks = 0
        public var bytesBefore: Int64 = 0
        public var bytesAfter: Int64 = 0
    }

    /// Writes all chunks anew that were not yet, compressed as small as is worth it. Numbers stay, so readers and writers go on; one process at a time
    /// does it. Killed at any moment, each chunk is where it was or where it shall be.
    ///
    /// Chunks that cannot be read stay where they are, for `verify` to tell.
    /// - Parameter order: numbers of chunks as they are read one after the other; 0 parts those that are not. One that comes again does not count, and
    ///   those that do not come are written last.
    public func repack(_ order: [UInt32]) throws -> Repacked {
        let old = try index.packs(below: Self.repackLevel)
        let frames = try repackFrames(order, old.map(\.id))
        let contexts = try allCores().map { _ in try Zstandard.Context() }
        var result = Repacked()
        var writer: PackWriter?
        func publish() throws {
            guard let closed = try writer?.close() else { return }
            writer = nil
            try closed.publish(into: index, replacing: true, level: Self.repackLevel)
            result.bytesAfter += closed.bytes
            for pack in try index.removeEmpty(packs: old.map(\.id)) {
                removeName(blobs.path(of: pack.digest))
                result.packs += 1
                result.bytesBefore += pack.bytes
            }
        }
        for first in stride(from: 0, to: frames.count, by: Self.framesAtOnce) {
            let batch = frames[first..<min(first + Self.framesAtOnce, frames.count)]
            let results = Results<RepackedFrame?>(count: batch.count, nil)
            let failure = Mutex<(any Error)?>(nil)
            spread(batch.count, contexts.count) { index, thread in
                do { results[index] = try repack(batch[first + index], with: contexts[thread]) } catch { failure.withLock { $0 = error } }
            }
            if let error = failure.withLock({ $0 }) { throw error }
            for case let frame? in results.values {
                let pack = try writer ?? PackWriter(in: blobs)
                writer = pack
                try frame.compressed.withUnsafeBytes { try pack.append($0, plain: frame.plain, frame.digests) }
                result.chunks += frame.digests.count
                if pack.bytes >= Self.packBytes { try publish() }
            }
        }
        try publish()
        if result.packs > 0 {
            try syncFolder(blobs.path)
            forget()
        }
        return result
    }

    /// The chunks of `packs`, as they shall be compressed together.
    private func repackFrames(_ order: [UInt32], _ packs: [Int64]) throws -> [[UInt32]] {
        var waiting = try noNumbers()
        for pack in packs { try index.forEachPlace(ofPack: pack) { number, _, _ in waiting.insert(Int(number)) } }
        var taken = try noNumbers()
        var frames: [[UInt32]] = []
        var open = false
        func add(_ number: UInt32) throws {
            guard waiting.contains(Int(number)), taken.insert(Int(number)) else {
                open = false
                return
            }
            if open, frames[frames.count - 1].count < Self.repackFrameChunks { frames[frames.count - 1].append(number) } else { frames.append([number]) }
            // A short chunk can only be a frame's last.
            open = try location(number).bytes == Self.chunkBytes
        }
        for number in order { try add(number) }
        for pack in packs {
            open = false
            var numbers: [UInt32] = []
            try index.forEachPlace(ofPack: pack) { number, _, _ in numbers.append(number) }
            for number in numbers where !taken.contains(Int(number)) { try add(number) }
        }
        return frames
    }

    private struct RepackedFrame {
        var compressed: [UInt8]
        var plain: Int
        var digests: [Digest]
    }

    /// Nil when a chunk cannot be read.
    private func repack(_ numbers: [UInt32], with context: Zstandard.Context) throws -> RepackedFrame? {
        var plain = [UInt8](repeating: 0, count: numbers.count * Self.chunkBytes)
        var digests: [Digest] = []
        var count = 0
        do {
            for number in numbers {
                let location = try location(number)
                try plain.withUnsafeMutableBytes { try read(number, into: UnsafeMutableRawBufferPointer(rebasing: $0[count..<count + location.bytes]), at: 0) }
                digests.append(location.digest)
                count += location.bytes
            }
        } catch let error as StoreError where error.code == "corrupt" || error.code == "notFound" { return nil }
        let compressed = try plain.withUnsafeBytes {
            try Zstandard.compress(UnsafeRawBufferPointer(rebasing: $0[..<count]), level: Self.repackLevel, with: context)
        }
        return RepackedFrame(compressed: compressed, plain: count, digests: digests)
    }
}
