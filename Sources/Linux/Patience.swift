import Glibc

/// Looks whether `condition` holds, until it does.
///
/// - Parameters:
///   - microseconds: how long to sleep after each look that was in vain.
///   - looks: how many are enough.
/// - Returns: false when all of them were in vain.
@discardableResult
public func waitUntil(lookingEvery microseconds: UInt32, atMost looks: Int, _ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<looks {
        if try condition() { return true }
        usleep(microseconds)
    }
    return false
}
