import ChunkStore
import Glibc
import Linux

/// Which chunk number lies at each place of an image's disk, in a memory-mapped file: opening it takes no longer for a larger disk.
///
/// The file is only a shortcut, made again from the layers when it is not there, belongs to another index, or was written before the host last
/// started (it is not synced). Little-endian: `TRRNMAP2`, the index's identity (u64), the number of places (u64), the id of the boot (36 letters),
/// zeroes to byte 4096; then a u32 for each place, 0 for zeroes. Whoever uses it holds a shared lock on it, which keeps `gc` from the image.
final class ImageMap: Sendable {
    private static let magic: UInt64 = 0x3250_414D_4E52_5254
    private static let headerBytes = 4096
    private static let boot = Array(ProcessIdentity.current.bootID.utf8.prefix(64))

    private let memory: UnsafeMappedBytes
    /// Holds the lock.
    let file: Descriptor
    let count: Int

    /// The mapped bytes.
    ///
    /// Unchecked: nobody writes them while they are mapped.
    private struct UnsafeMappedBytes: @unchecked Sendable {
        let bytes: UnsafeRawBufferPointer
    }

    /// Nil when there is no such file, or none that can be used.
    init?(path: String, identity: Int64) throws {
        let file: Descriptor
        do { file = try Descriptor(path, O_RDONLY) } catch let error as LinuxError where error.code == ENOENT { return nil }
        self.file = file
        try check("lock", path) { flock(file.raw, LOCK_SH) }
        var status = stat()
        try check("look at", path) { fstat(file.raw, &status) }
        let size = Int(status.st_size)
        // Without a name: `gc` took it before it was locked.
        guard status.st_nlink > 0, size >= Self.headerBytes, let mapped = mmap(nil, size, PROT_READ, MAP_SHARED, file.raw, 0), mapped != MAP_FAILED else {
            return nil
        }
        let bytes = UnsafeRawBufferPointer(start: mapped, count: size)
        memory = UnsafeMappedBytes(bytes: bytes)
        count = Int(clamping: UInt64(littleEndian: bytes.load(fromByteOffset: 16, as: UInt64.self)))
        guard UInt64(littleEndian: bytes.load(as: UInt64.self)) == Self.magic,
            UInt64(littleEndian: bytes.load(fromByteOffset: 8, as: UInt64.self)) == UInt64(bitPattern: identity), count <= (size - Self.headerBytes) / 4,
            bytes[24..<24 + Self.boot.count].elementsEqual(Self.boot)
        else { return nil }
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: memory.bytes.baseAddress), memory.bytes.count) }

    /// Whether somebody reads the image whose map this is, or has just made it.
    static func isInUse(path: String) throws -> Bool {
        let file: Descriptor
        do { file = try Descriptor(path, O_RDONLY) } catch let error as LinuxError where error.code == ENOENT { return false }
        return flock(file.raw, LOCK_EX | LOCK_NB) != 0
    }

    /// The number of the chunk at a place; 0 for zeroes and past the end.
    subscript(index: UInt64) -> UInt32 {
        index < UInt64(count) ? UInt32(littleEndian: memory.bytes.load(fromByteOffset: Self.headerBytes + Int(index) * 4, as: UInt32.self)) : 0
    }

    /// Up to 1,024 places from `first` on, as they lie in the file; nil when all are zero.
    private func page(_ first: Int) -> UnsafeRawBufferPointer? {
        if first >= count { return nil }
        let start = Self.headerBytes + first * 4
        let part = UnsafeRawBufferPointer(rebasing: memory.bytes[start..<start + min(1024, count - first) * 4])
        guard let base = part.baseAddress, part[0] != 0 || memcmp(base, base + 1, part.count - 1) != 0 else { return nil }
        return part
    }

    /// The numbers of all chunks that are not zero; one that is there twice comes twice.
    func numbers() -> [UInt32] {
        var result: [UInt32] = []
        for first in stride(from: 0, to: count, by: 1024) {
            page(first)?.withMemoryRebound(to: UInt32.self) { for number in $0 where number != 0 { result.append(UInt32(littleEndian: number)) } }
        }
        return result
    }

    /// Writes a map: that of `parent`, with `changes` over it. Whoever opens `path` finds all of it or what was there before.
    static func write(_ path: String, identity: Int64, count: Int, parent: ImageMap?, _ changes: [(index: UInt64, number: UInt32)]) throws {
        let temporary = "\(path).new.\(getpid()).\(UInt32.random(in: .min ... .max))"
        do {
            let file = try Descriptor(temporary, O_RDWR | O_CREAT | O_EXCL)
            try check("size", temporary) { ftruncate(file.raw, headerBytes + count * 4) }
            var header = [UInt8](repeating: 0, count: 24)
            header.withUnsafeMutableBytes {
                $0.storeBytes(of: magic.littleEndian, as: UInt64.self)
                $0.storeBytes(of: UInt64(bitPattern: identity).littleEndian, toByteOffset: 8, as: UInt64.self)
                $0.storeBytes(of: UInt64(count).littleEndian, toByteOffset: 16, as: UInt64.self)
            }
            header += boot
            try header.withUnsafeBytes { try file.write($0, at: 0) }
            // Page by page: what is all zero stays a hole.
            var next = 0
            var page = [UInt32](repeating: 0, count: 1024)
            for first in stride(from: 0, to: count, by: 1024) {
                let end = min(first + 1024, count)
                let old = parent?.page(first)
                if old == nil, next == changes.count || changes[next].index >= UInt64(end) { continue }
                page.withUnsafeMutableBytes { bytes in
                    bytes.initializeMemory(as: UInt8.self, repeating: 0)
                    if let old { bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[..<min(old.count, (end - first) * 4)])) }
                }
                while next < changes.count, changes[next].index < UInt64(end) {
                    page[Int(changes[next].index) - first] = changes[next].number.littleEndian
                    next += 1
                }
                try page.withUnsafeBytes {
                    try file.write(UnsafeRawBufferPointer(rebasing: $0[..<((end - first) * 4)]), at: Int64(headerBytes + first * 4))
                }
            }
            try check("rename to", path) { rename(temporary, path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }
}

/// What an image's disk holds, chunk by chunk. Any number of threads use it at once.
public final class ImageReader: Sendable {
    private let store: ChunkStore
    private let map: ImageMap
    private let image: Digest
    public let virtualBytes: Int64

    init(store: ChunkStore, map: ImageMap, image: Image) {
        (self.store, self.map, self.image, virtualBytes) = (store, map, image.digest, image.virtualBytes)
    }

    /// Copies bytes of the chunk at `index`, from `offset` in it on, into all of `buffer`. What is past the disk's end is zero.
    public func read(_ index: UInt64, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        let number = map[index]
        if number == 0 {
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        do { try store.read(number, into: buffer, at: offset) } catch let error as StoreError {
            throw ImageError(error.code, "chunk \(index) of the image \(image) cannot be read", cause: "\(error.message): \(error.cause ?? "")", fix: error.fix)
        }
    }

    /// Decompresses what these chunks are in; troubles are kept for the read.
    public func prefetch(_ indexes: Range<UInt64>) {
        for index in indexes {
            let number = map[index]
            if number != 0 { store.prefetch(number) }
        }
    }

    public func isZero(_ index: UInt64) -> Bool { map[index] == 0 }
}
