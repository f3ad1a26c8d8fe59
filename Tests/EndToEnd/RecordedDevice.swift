import CLinux
import Disks
import Foundation
import Glibc
import Linux
import Synchronization
import TestSupport

/// A block device that writes down what is asked of it, so that what a power cut would have left at any moment can be made afterwards.
///
/// A device may have any part of what was written since the last flush on its platters and no order among it: a state keeps each of those writes, or
/// tears it at a block, or loses it.
final class RecordedDevice: BlockBackend {
    private enum Event {
        /// Where the bytes lie in the log of bytes.
        case write(offset: Int64, length: Int64, at: Int64)
        case zeroes(offset: Int64, length: Int64)
        case flush
    }
    private struct Record {
        var events: [Event] = []
        var logged: Int64 = 0
    }

    let size: Int64
    private let contents: Descriptor
    private let log: Descriptor
    private let record = Mutex(Record())

    /// - Parameter folder: gets the device's contents and the log, sparse files of a name each.
    init(in folder: String, size: Int64) throws {
        self.size = size
        contents = try Descriptor(folder + "/contents", O_RDWR | O_CREAT | O_EXCL)
        log = try Descriptor(folder + "/log", O_RDWR | O_CREAT | O_EXCL)
        try check("grow", folder + "/contents") { ftruncate(contents.raw, Int(size)) }
    }

    /// How much has happened: a moment, as ``state(at:_:seed:)`` takes it.
    var now: Int { record.withLock { $0.events.count } }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        let count = try contents.read(into: buffer, at: offset)
        buffer[count...].initializeMemory(as: UInt8.self, repeating: 0)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        // Written down and done in one: of two writes to one block the later one in the record is the later one on the disk.
        try record.withLock { record in
            try log.write(bytes, at: record.logged)
            try contents.write(bytes, at: offset)
            record.events.append(.write(offset: offset, length: Int64(bytes.count), at: record.logged))
            record.logged += Int64(bytes.count)
        }
    }

    func flush() throws { record.withLock { $0.events.append(.flush) } }
    func discard(at offset: Int64, length: Int64) throws { try writeZeroes(at: offset, length: length) }

    func writeZeroes(at offset: Int64, length: Int64) throws {
        try record.withLock { record in
            try Self.zero(contents, offset, length)
            record.events.append(.zeroes(offset: offset, length: length))
        }
    }

    private static func zero(_ file: Descriptor, _ offset: Int64, _ length: Int64) throws {
        let keepSizePunchHole = 1 | 2
        try check("zero", "the device") { clinux_syscall6(Int(SYS_fallocate), Int(file.raw), keepSizePunchHole, Int(offset), Int(length), 0, 0) }
    }

    // MARK: after the power cut

    /// Makes the file `path`: the device after a power cut at `moment`.
    ///
    /// - Parameter seed: chooses which of the writes that no flush had made durable are there; equal seeds, equal files.
    func state(at moment: Int, _ path: String, seed: UInt64) throws {
        let events = Array(record.withLock { $0.events }.prefix(moment))
        let durable = events.lastIndex { if case .flush = $0 { true } else { false } } ?? 0
        let file = try Descriptor(path, O_RDWR | O_CREAT | O_TRUNC)
        try check("grow", path) { ftruncate(file.raw, Int(size)) }
        var luck = SplitMix(state: seed)
        for (index, event) in events.enumerated() {
            let isCertain = index <= durable
            switch event {
            case .flush: break
            case .zeroes(let offset, let length):
                if isCertain || luck.next() % 2 == 0 { try Self.zero(file, offset, length) }
            case .write(let offset, let length, let at):
                let blocks = length / 4096
                let kept: Int64 =
                    if isCertain { length } else {
                        switch luck.next() % 4 {
                        case 0: 0
                        case 1: blocks > 1 ? Int64(luck.next() % UInt64(blocks)) * 4096 : length
                        default: length
                        }
                    }
                try copy(at, to: file, offset, kept)
            }
        }
    }

    private func copy(_ start: Int64, to file: Descriptor, _ offset: Int64, _ length: Int64) throws {
        guard length > 0 else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(length), alignment: 4096)
        defer { buffer.deallocate() }
        let count = try log.read(into: buffer, at: start)
        precondition(count == Int(length), "the log of bytes is whole")
        try file.write(UnsafeRawBufferPointer(buffer), at: offset)
    }
}
