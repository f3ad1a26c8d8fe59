import CLinux
import Glibc
import Linux

/// One serving thread's memory: a page, then room for the largest request's data on a page boundary, made and locked before the first request.
///
/// A request is read so that a WRITE's data begin exactly at `payload`; an answer's header is written just before `payload`. So each takes one
/// plain system call, and the backend always sees aligned memory.
final class FUSEBuffer: @unchecked Sendable {
    // Unchecked: the pointers never change, and one thread at a time uses what they point to.
    private let memory: UnsafeMutableRawPointer
    private static let page = 4096
    private static let total = page + FUSEProtocol.maximumWrite
    let isLocked: Bool

    init() throws {
        var memory: UnsafeMutableRawPointer?
        let code = posix_memalign(&memory, Self.page, Self.total)
        guard let memory else { throw LinuxError("allocate", "a disk's buffer", code: code) }
        // Locking brings the pages in all at once, which touching them one by one takes five times as long for.
        isLocked = mlock(memory, Self.total) == 0
        if !isLocked { memset(memory, 0, Self.total) }
        self.memory = memory
    }

    deinit {
        munlock(memory, Self.total)
        free(memory)
    }

    var payload: UnsafeMutableRawPointer { memory + Self.page }
    var request: UnsafeMutableRawPointer { payload - FUSEProtocol.writePrefix }
    var requestCapacity: Int { FUSEProtocol.writePrefix + FUSEProtocol.maximumWrite }

    /// The request's own structure, which follows the header; nil when the request is too short to hold it.
    func arguments<T>(_ type: T.Type, length: Int) -> T? {
        guard length >= FUSEProtocol.headerSize + MemoryLayout<T>.size else { return nil }
        return (request + FUSEProtocol.headerSize).loadUnaligned(as: type)
    }

    /// Puts `value` into the answer.
    func answer<T>(_ value: T) -> FUSEAnswer {
        payload.storeBytes(of: value, as: T.self)
        return .payload(MemoryLayout<T>.size)
    }
}
