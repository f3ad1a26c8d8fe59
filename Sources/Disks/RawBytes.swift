import Glibc

extension UnsafeMutableRawBufferPointer {
    func clear() {
        if let baseAddress { memset(baseAddress, 0, count) }
    }

    func holdsSame(as other: UnsafeMutableRawBufferPointer) -> Bool {
        guard let base = baseAddress, let otherBase = other.baseAddress else { return count == other.count }
        return count == other.count && memcmp(base, otherBase, count) == 0
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes are zero: the first is, and each is as the one before.
    var isAllZero: Bool {
        guard let base = baseAddress, count > 0 else { return true }
        return self[0] == 0 && memcmp(base, base + 1, count - 1) == 0
    }
}
