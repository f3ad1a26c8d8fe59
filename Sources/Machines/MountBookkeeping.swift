import Disks
import Glibc
import Images

/// Tells a disk that was only mounted from one that was changed.
///
/// Mounting an ext4 writes its superblock (counts and times) and its journal's, and the first file that is opened lets it note where it is mounted, through
/// the journal; a seal that holds nothing else is no change. What a clean journal holds means nothing.
/// Source: the kernel's Documentation/filesystems/ext4, "Super Block", "Extent Tree" and "Journal (jbd2)".
enum MountBookkeeping {
    private static let block = 4096
    private static let chunk = 65536

    /// Whether nothing but that differs from `source`.
    static func isAll(of stack: [SealedOverlay], over source: ImageReader) throws -> Bool {
        var only = true
        struct Enough: Error {}
        let old = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: block)
        defer { old.deallocate() }
        let journal = try journalBlocks(of: source)
        do {
            try packSealed(stack, over: source) { index, bytes in
                guard let bytes else { throw Enough() }
                let before = UnsafeMutableRawBufferPointer(rebasing: old[..<bytes.count])
                try source.read(index, into: before, at: 0)
                for start in stride(from: 0, to: bytes.count, by: block) {
                    let end = min(start + block, bytes.count)
                    let (was, now) = (UnsafeRawBufferPointer(rebasing: before[start..<end]), UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                    if was.elementsEqual(now) { continue }
                    let number = index * UInt64(chunk / block) + UInt64(start / block)
                    guard number == 0 ? isMountOnly(was, now) : journal.contains(where: { $0.contains(number) }) && isClean(now, number, journal) else {
                        throw Enough()
                    }
                }
            }
        } catch is Enough { only = false }
        return only
    }

    /// The superblock lies at byte 1024 of block 0. Fields that a mount changes: times, mount count, state, where it was mounted, bytes written,
    /// the flag that the journal is in use, the counts that are settled from the groups at a mount, and the checksum.
    private static func isMountOnly(_ was: UnsafeRawBufferPointer, _ now: UnsafeRawBufferPointer) -> Bool {
        guard was.count == now.count, now.count >= 2048, now.loadUnaligned(fromByteOffset: 1024 + 0x38, as: UInt16.self) == 0xEF53 else { return false }
        let fields: [Range<Int>] = [
            0x0C..<0x14, 0x2C..<0x36, 0x3A..<0x3C, 0x60..<0x64, 0x88..<0xC8, 0x150..<0x15C, 0x178..<0x180, 0x194..<0x1F8, 0x24C..<0x250, 0x274..<0x280,
            0x3FC..<0x400,
        ]
        for offset in 0..<now.count where was[offset] != now[offset] {
            if !fields.contains(where: { $0.contains(offset - 1024) }) { return false }
        }
        return true
    }

    /// Where the journal lies, from the copy of its inode's extents that the superblock has; none when it is larger than four extents.
    private static func journalBlocks(of source: ImageReader) throws -> [Range<UInt64>] {
        var bytes = [UInt8](repeating: 0, count: 2048)
        try bytes.withUnsafeMutableBytes { try source.read(0, into: $0, at: 0) }
        return bytes.withUnsafeBytes { bytes in
            func half(_ at: Int) -> UInt64 { UInt64(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 1024 + at, as: UInt16.self))) }
            func word(_ at: Int) -> UInt64 { UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 1024 + at, as: UInt32.self))) }
            let (copyKind, copy) = (0xFD, 0x10C)
            // The copy is one of extents, which begin with a header: magic number, entries, room, depth.
            guard half(0x38) == 0xEF53, bytes[1024 + copyKind] == 1, half(copy) == 0xF30A, half(copy + 6) == 0, half(copy + 2) <= 4 else { return [] }
            return (0..<Int(half(copy + 2))).map { entry in
                let at = copy + 12 + entry * 12
                let first = half(at + 6) << 32 | word(at + 8)
                return first..<first + half(at + 4)
            }
        }
    }

    /// Whether the journal, if this is its first block, holds nothing that is still to be done. All numbers in it are big-endian.
    private static func isClean(_ bytes: UnsafeRawBufferPointer, _ number: UInt64, _ journal: [Range<UInt64>]) -> Bool {
        guard number == journal.first?.lowerBound else { return true }
        func word(_ at: Int) -> UInt32 { UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
        let start = 0x1C
        return bytes.count >= 1024 && word(0) == 0xC03B_3998 && [3, 4].contains(word(4)) && word(start) == 0
    }
}
