import ChunkStore
import Glibc
import Linux

/// Which chunk number lies at each place of an image's disk, in a memory-mapped file: opening it takes no longer for a larger disk.
///
/// The file is only a shortcut, made again from the layers when it is not there or belongs to another index. Little-endian: `TRRNMAP1`, the index's
/// identity (u64), the number of places (u64), zeroes to byte 4096; then a u32 for each place, 0 for zeroes.
final class ImageMap: Sendable {
    private static let magic: UInt64 = 0x3150_414D_4E52_5254
    private static let headerBytes = 4096

    private let memory: UnsafeMappedBytes
    let count: Int

    /// The mapped bytes.
    ///
    /// Unchecked: nobody writes them while they are mapped.
    private struct UnsafeMappedBytes: @unchecked Sendable {
        let bytes: UnsafeRawBufferPointer
    }

    /// Nil when there is no such file, or one of another index.
    init?(path: String, identity: Int64) throws {
        let file: Descriptor
        do { file = try Descriptor(path, O_RDONLY) } catch let error as LinuxError where error.code == ENOENT { return nil }
        let size = Int(try check("seek", path) { lseek(file.raw, 0, SEEK_END) })
        guard size >= Self.headerBytes, let mapped = mmap(nil, size, PROT_READ, MAP_SHARED, file.raw, 0), mapped != MAP_FAILED else { return nil }
        let bytes = UnsafeRawBufferPointer(start: mapped, count: size)
        memory = UnsafeMappedBytes(bytes: bytes)
        count = Int(clamping: UInt64(littleEndian: bytes.load(fromByteOffset: 16, as: UInt64.self)))
        guard UInt64(littleEndian: bytes.load(as: UInt64.self)) == Self.magic,
            UInt64(littleEndian: bytes.load(fromByteOffset: 8, as: UInt64.self)) == UInt64(bitPattern: identity), count <= (size - Self.headerBytes) / 4
        else { return nil }
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: memory.bytes.baseAddress), memory.bytes.count) }

    /// The number of the chunk at a place; 0 for zeroes and past the end.
    subscript(index: UInt64) -> UInt32 {
        index < UInt64(count) ? UInt32(littleEndian: memory.bytes.load(fromByteOffset: Self.headerBytes + Int(index) * 4, as: UInt32.self)) : 0
    }

    /// The numbers of all chunks that are not zero; one that is there twice comes twice.
    func numbers() -> [UInt32] { (0..<UInt64(count)).compactMap { self[$0] == 0 ? nil : self[$0] } }

    /// Writes a map: that of `parent`, with `changes` over it. Durable, since a map that lost its content would read as zeroes.
    static func write(_ path: String, identity: Int64, count: Int, parent: ImageMap?, _ changes: [(index: UInt64, number: UInt32)]) throws {
        let temporary = "\(path).new.\(getpid())"
        do {
            let file = try Descriptor(temporary, O_RDWR | O_CREAT | O_TRUNC)
            try check("size", temporary) { ftruncate(file.raw, headerBytes + count * 4) }
            var header = [UInt64](repeating: 0, count: 3)
            header[0] = magic.littleEndian
            header[1] = UInt64(bitPattern: identity).littleEndian
            header[2] = UInt64(count).littleEndian
            try header.withUnsafeBytes { try file.write($0, at: 0) }
            // Page by page: what is all zero stays a hole.
            let entries = 1024
            var next = 0
            var page = [UInt32](repeating: 0, count: entries)
            for first in stride(from: 0, to: count, by: entries) {
                let end = min(first + entries, count)
                var isUsed = false
                for index in first..<end {
                    page[index - first] = (parent?[UInt64(index)] ?? 0).littleEndian
                    if page[index - first] != 0 { isUsed = true }
                }
                while next < changes.count, changes[next].index < UInt64(end) {
                    page[Int(changes[next].index) - first] = changes[next].number.littleEndian
                    isUsed = true
                    next += 1
                }
                if isUsed {
                    try page.withUnsafeBytes {
                        try file.write(UnsafeRawBufferPointer(rebasing: $0[..<((end - first) * 4)]), at: Int64(headerBytes + first * 4))
                    }
                }
            }
            try file.sync()
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
