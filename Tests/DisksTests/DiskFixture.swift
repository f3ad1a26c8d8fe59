import CLinux
import Foundation
import Glibc
import Linux
import Synchronization
import TestSupport

@testable import Disks

/// A folder that goes with the test.
final class ScratchFolder: Sendable {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "terrine-disk-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// An image in memory.
final class MemorySource: ChunkSource {
    let bytes: [UInt8]
    let prefetched = Mutex<[Range<UInt64>]>([])
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    func read(_ index: UInt64, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard offset + buffer.count <= 65536 else { throw DiskError("test", "a read leaves its chunk") }
        let start = Int(index) * 65536 + offset
        let available = max(0, min(buffer.count, bytes.count - start))
        if available > 0 { _ = bytes.withUnsafeBytes { memcpy(buffer.baseAddress!, $0.baseAddress! + start, available) } }
        if available < buffer.count { memset(buffer.baseAddress! + available, 0, buffer.count - available) }
    }
    func prefetch(_ indexes: Range<UInt64>) { prefetched.withLock { $0.append(indexes) } }
}

func randomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix(state: seed)
    return [UInt8](unsafeUninitializedCapacity: count + 8) { buffer, used in
        var at = 0
        while at < count {
            UnsafeMutableRawPointer(buffer.baseAddress! + at).storeBytes(of: random.next(), as: UInt64.self)
            at += 8
        }
        used = count
    }
}

/// Shared memory as a keeper holds it.
func liveMemory() throws -> Descriptor {
    let raw = try "live".withCString { name in
        try check("memfd_create") { clinux_syscall6(Int(SYS_memfd_create), Int(bitPattern: name), 1, 0, 0, 0, 0) }
    }
    return Descriptor(owning: Int32(raw))
}

extension Disk {
    func bytes(_ range: Range<Int>) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            try read(into: UnsafeMutableRawBufferPointer(buffer), at: Int64(range.lowerBound))
            count = range.count
        }
    }
    func write(_ bytes: [UInt8], at offset: Int) throws { try bytes.withUnsafeBytes { try write($0, at: Int64(offset)) } }
}

func same(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    a.count == b.count && (a.isEmpty || memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0)
}

func same(_ a: [UInt8], _ b: ArraySlice<UInt8>) -> Bool { a.withUnsafeBytes { a in b.withUnsafeBytes { same(a, $0) } } }
