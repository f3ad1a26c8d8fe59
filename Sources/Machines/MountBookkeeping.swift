import Disks
import Glibc
import Images

/// Tells a disk that was only mounted from one that was changed.
///
/// Mounting an ext4 writes its superblock (counts and times) and its journal's; a seal that holds nothing else is no change.
/// Source: the kernel's Documentation/filesystems/ext4, "Super Block" and "Journal (jbd2)".
enum MountBookkeeping {
    private static let block = 4096
    private static let chunk = 65536

    /// Whether nothing but that differs from `source`.
    static func isAll(of stack: [SealedOverlay], over source: ImageReader) throws -> Bool {
        var only = true
        struct Enough: Error {}
        let old = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: block)
        defer { old.deallocate() }
        do {
            try packSealed(stack, over: source) { index, bytes in
                guard let bytes else { throw Enough() }
                let before = UnsafeMutableRawBufferPointer(rebasing: old[..<bytes.count])
                try source.read(index, into: before, at: 0)
                for start in stride(from: 0, to: bytes.count, by: block) {
                    let end = min(start + block, bytes.count)
                    let (was, now) = (UnsafeRawBufferPointer(rebasing: before[start..<end]), UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                    if was.elementsEqual(now) { continue }
                    let isSuperblock = index == 0 && start == 0
                    guard isSuperblock ? isMountOnly(was, now) : isJournalSuperblock(was) && isJournalSuperblock(now) else { throw Enough() }
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

    /// Magic number and block type (3, 4: superblock) of jbd2, big-endian.
    private static func isJournalSuperblock(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 8 else { return false }
        let type = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        return UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)) == 0xC03B_3998 && (type == 3 || type == 4)
    }
}
