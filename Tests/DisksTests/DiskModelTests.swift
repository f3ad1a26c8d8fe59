import Foundation
import Glibc
import Linux
import Synchronization
import TestSupport
import Testing

@testable import Disks

/// A disk beside the byte array that it must equal, and all that each block has been since the last flush.
private final class Subject {
    var disk: Disk
    var model: [UInt8]
    var live: Descriptor
    var source: MemorySource?
    var sealed: [SealedOverlay]
    /// Contents that each block changed since the last flush may have after the host's death.
    var since: [Int: [[UInt8]]] = [:]

    init(disk: Disk, model: [UInt8], live: Descriptor, source: MemorySource?, sealed: [SealedOverlay]) {
        (self.disk, self.model, self.live, self.source, self.sealed) = (disk, model, live, source, sealed)
    }

    func block(_ index: Int) -> [UInt8] { Array(model[index * 4096..<min(model.count, (index + 1) * 4096)]) }

    /// In place: `replaceSubrange` takes a hundred times as long in a debug build.
    func replace(_ range: Range<Int>, _ bytes: [UInt8]?) {
        model.withUnsafeMutableBytes { model in
            let place = UnsafeMutableRawBufferPointer(rebasing: model[range])
            if let bytes { bytes.withUnsafeBytes { place.copyMemory(from: $0) } } else { place.clear() }
        }
    }

    /// Notes the content of blocks before (first time) and after a change of `range`.
    func changing(_ range: Range<Int>, _ body: () -> Void) {
        if range.isEmpty { return }
        let blocks = range.lowerBound / 4096...(range.upperBound - 1) / 4096
        for index in blocks where since[index] == nil { since[index] = [block(index)] }
        body()
        for index in blocks { since[index]!.append(block(index)) }
    }
}

/// Bytes of history: small enough for seconds in a debug build, with a last chunk and a last block that are not whole.
private let diskSize = 1_500_000

@Suite("A disk is a byte array", .serialized)
struct DiskModelTests {
    @Test("100,000 operations: reads, writes, discards, seals, forks, flushes, takeovers and crashes", arguments: [1, 2] as [UInt64])
    func model(seed: UInt64) throws {
        let scratch = try ScratchFolder()
        var random = SplitMix(state: seed)
        let pool = randomBytes(1 << 20, seed: seed &+ 99)
        var serial = 0
        func newOverlay() throws -> (Overlay, Descriptor) {
            serial += 1
            let live = try liveMemory()
            return (try Overlay.create(in: "\(scratch.path)/\(serial)", size: Int64(diskSize), liveState: live), live)
        }
        // The image is smaller than the disk, with holes.
        var image = randomBytes(1_100_001, seed: seed)
        for hole in [3, 7, 8] { image.replaceSubrange(hole * 65536..<(hole + 1) * 65536, with: repeatElement(0, count: 65536)) }
        let source = MemorySource(image)
        // Made in a function of its own: the test must not keep an overlay open that a disk has let go.
        func firstSubject() throws -> Subject {
            let (overlay, live) = try newOverlay()
            return Subject(
                disk: try Disk(source: source, overlay: overlay), model: image + [UInt8](repeating: 0, count: diskSize - image.count), live: live,
                source: source, sealed: [])
        }
        var subjects = [try firstSubject()]
        var counts: [String: Int] = [:]

        for step in 0..<50_000 {
            let which = Int.random(in: 0..<subjects.count, using: &random)
            let subject = subjects[which]
            let range = Self.range(&random)
            let kind = Int.random(in: 0..<1000, using: &random)
            switch kind {
            case 0..<420:
                counts["read", default: 0] += 1
                #expect(same(try subject.disk.bytes(range), subject.model[range]), "step \(step), range \(range)")
            case 420..<820:
                counts["write", default: 0] += 1
                let start = Int.random(in: 0..<pool.count - range.count, using: &random)
                let bytes = Array(pool[start..<start + range.count])
                try subject.disk.write(bytes, at: range.lowerBound)
                subject.changing(range) { subject.replace(range, bytes) }
            case 820..<890:
                counts["zero", default: 0] += 1
                if kind.isMultiple(of: 2) {
                    try subject.disk.discard(at: Int64(range.lowerBound), length: Int64(range.count))
                } else {
                    try subject.disk.writeZeroes(at: Int64(range.lowerBound), length: Int64(range.count))
                }
                subject.changing(range) { subject.replace(range, nil) }
            case 890..<930:
                counts["flush", default: 0] += 1
                try subject.disk.flush()
                subject.since = [:]
            case 930..<945:
                counts["seal", default: 0] += 1
                if subject.disk.sealed.count >= 5 { try Self.rebase(subject) }
                let (next, live) = try newOverlay()
                try subject.disk.seal(next: next)
                subject.live = live
                subject.since = [:]
                subject.sealed = subject.disk.sealed
            case 945..<955:
                counts["fork", default: 0] += 1
                if subjects.count == 3 { subjects.remove(at: (which + 1) % 3) }
                let (next, live) = try newOverlay()
                try subject.disk.seal(next: next)
                subject.live = live
                subject.since = [:]
                subject.sealed = subject.disk.sealed
                let (top, topLive) = try newOverlay()
                let fork = try Disk(source: subject.source, sealed: subject.sealed, overlay: top)
                subjects.append(Subject(disk: fork, model: subject.model, live: topLive, source: subject.source, sealed: subject.sealed))
            case 955..<980:
                counts["takeover", default: 0] += 1
                let folder = try subject.disk.overlay.folder
                subject.disk = try Self.placeholder(newOverlay().0)
                let overlay = try Overlay.open(folder, liveState: subject.live)
                subject.disk = try Disk(source: subject.source, sealed: subject.sealed, overlay: overlay)
                #expect(same(try subject.disk.bytes(0..<diskSize), subject.model[...]), "step \(step)")
            default:
                counts["crash", default: 0] += 1
                let folder = try subject.disk.overlay.folder
                subject.disk = try Self.placeholder(newOverlay().0)
                // Every other time the sealed overlays are opened anew too.
                if kind.isMultiple(of: 2) {
                    let folders = subject.sealed.map(\.folder)
                    subject.sealed = try folders.map { try SealedOverlay.open($0) }
                }
                subject.live = try liveMemory()
                let overlay = try Overlay.open(folder, liveState: subject.live)
                subject.disk = try Disk(source: subject.source, sealed: subject.sealed, overlay: overlay)
                let now = try subject.disk.bytes(0..<diskSize)
                for (index, contents) in subject.since {
                    let place = index * 4096..<min(diskSize, (index + 1) * 4096)
                    #expect(contents.contains { same($0, now[place]) }, "step \(step), block \(index)")
                    subject.replace(place, Array(now[place]))
                }
                #expect(same(now, subject.model[...]), "step \(step)")
                subject.since = [:]
            }
        }
        for subject in subjects { #expect(same(try subject.disk.bytes(0..<diskSize), subject.model[...])) }
        #expect(counts.count == 8, "\(counts)")
    }

    /// Mostly small and odd, sometimes aligned, sometimes large or at the very end.
    private static func range(_ random: inout SplitMix) -> Range<Int> {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4:
            let start = Int.random(in: 0..<diskSize, using: &random)
            return start..<min(diskSize, start + Int.random(in: 0..<6000, using: &random))
        case 4..<7:
            let start = Int.random(in: 0..<diskSize / 4096, using: &random) * 4096
            return start..<min(diskSize, start + 4096 * Int.random(in: 1..<8, using: &random))
        case 7..<8:
            return diskSize - Int.random(in: 0..<9000, using: &random)..<diskSize
        case 8..<9:
            let start = Int.random(in: 0..<diskSize / 512, using: &random) * 512
            return start..<min(diskSize, start + 512 * Int.random(in: 1..<40, using: &random))
        default:
            let start = Int.random(in: 0..<diskSize, using: &random)
            return start..<min(diskSize, start + Int.random(in: 0..<200_000, using: &random))
        }
    }

    /// Stands in while the real disk's files are closed.
    private static func placeholder(_ overlay: Overlay) throws -> Disk { try Disk(source: nil, overlay: overlay) }

    /// What packing and rebasing do to a disk whose sealed overlays became an image.
    private static func rebase(_ subject: Subject) throws {
        let stack = subject.disk.sealed
        var image = subject.source!.bytes + [UInt8](repeating: 0, count: diskSize - subject.source!.bytes.count)
        try packSealed(stack, over: subject.source) { index, bytes in
            let place = Int(index) * 65536..<min(diskSize, Int(index + 1) * 65536)
            if let bytes { #expect(bytes.count == place.count) }
            image.replaceSubrange(place, with: bytes.map(Array.init) ?? [UInt8](repeating: 0, count: place.count))
        }
        subject.source = MemorySource(image)
        try subject.disk.rebase(source: subject.source, dropping: stack.map(\.id))
        subject.sealed = []
        #expect(same(try subject.disk.bytes(0..<diskSize), subject.model[...]))
    }
}
