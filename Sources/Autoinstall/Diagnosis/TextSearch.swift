import Glibc

/// memmem(3), which glibc does not show to Swift.
enum TextSearch {
    /// Where `text` begins in `bytes`, from `start` on; nil where it is not.
    static func find(_ text: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        guard let base = bytes.baseAddress, let first = text.first, let wanted = text.baseAddress else { return nil }
        var at = start
        while at + text.count <= bytes.count {
            guard let hit = memchr(base + at, Int32(first), bytes.count - text.count - at + 1) else { return nil }
            at = UnsafeRawPointer(hit) - base
            if memcmp(base + at, wanted, text.count) == 0 { return at }
            at += 1
        }
        return nil
    }
}
