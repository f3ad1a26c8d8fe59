import CLinux
import Glibc
import Synchronization

/// Which files of a file system are opened, by whomever, while this watches (`fanotify(7)`; needs root).
///
/// Nobody is slowed down, and nothing is missed: the kernel queues without bound.
public final class OpenWatch: Sendable {
    /// The kernel's own O_LARGEFILE, which a C library of 64 bits has as 0: without it files over 2 GiB have no events.
    #if arch(arm64)
        private static let largeFile: Int32 = 0o400000
    #else
        private static let largeFile: Int32 = 0o100000
    #endif

    private let events: Descriptor
    private let stopped: Descriptor
    private let paths = Mutex<Set<String>>([])
    private let thread = Mutex<PlainThread?>(nil)

    /// Watches the file system that `folder` is on.
    public init(_ folder: Descriptor, subject: String) throws {
        let flags = 0x01 | 0x02 | 0x10  // FAN_CLOEXEC, FAN_NONBLOCK, FAN_UNLIMITED_QUEUE; FAN_CLASS_NOTIF is 0
        let raw = try check("watch the opens in", subject) {
            clinux_syscall6(Int(SYS_fanotify_init), flags, Int(O_RDONLY | O_CLOEXEC | Self.largeFile), 0, 0, 0, 0)
        }
        events = Descriptor(owning: Int32(raw))
        stopped = Descriptor(owning: Int32(try check("make", "an event") { clinux_syscall6(Int(SYS_eventfd2), 0, Int(O_CLOEXEC), 0, 0, 0, 0) }))
        let (add, fileSystem, open) = (0x01, 0x100, 0x20)  // FAN_MARK_ADD, FAN_MARK_FILESYSTEM, FAN_OPEN
        try check("watch the opens in", subject) {
            clinux_syscall6(Int(SYS_fanotify_mark), Int(events.raw), add | fileSystem, open, Int(folder.raw), 0, 0)
        }
        let watch = try PlainThread { [weak self] in self?.read() }
        thread.withLock { $0 = watch }
    }

    /// Ends the watch.
    ///
    /// - Returns: the paths of all files that were opened, from the root of the file system.
    public func finish() -> Set<String> {
        let watch = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let watch {
            var one: UInt64 = 1
            // An event of ours, which takes any number.
            _ = write(stopped.raw, &one, 8)
            watch.join()
        }
        return paths.withLock { $0 }
    }

    private func read() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            var entries = [pollfd(fd: events.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: stopped.raw, events: Int16(POLLIN), revents: 0)]
            let ready = poll(&entries, 2, -1)
            if ready < 0 && errno == EINTR { continue }
            // What was opened before the end is in the queue already.
            let isOver = entries[1].revents != 0
            while true {
                let count = Glibc.read(events.raw, buffer.baseAddress, buffer.count)
                if count <= 0 { break }
                take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            if isOver || ready < 0 { return }
        }
    }

    /// Records of `struct fanotify_event_metadata`: length (4), version, reserved, metadata length (2), mask (8), descriptor (4), process (4).
    private func take(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset + 24 <= bytes.count {
            let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            let raw = bytes.loadUnaligned(fromByteOffset: offset + 16, as: Int32.self)
            if raw >= 0 {
                let file = Descriptor(owning: raw)
                var name = [UInt8](repeating: 0, count: 4096)
                let count = name.withUnsafeMutableBytes { bytes in
                    bytes.baseAddress.map { readlink("/proc/self/fd/\(file.raw)", $0.assumingMemoryBound(to: CChar.self), bytes.count) } ?? -1
                }
                if count > 0 {
                    let path = String(decoding: name[..<count], as: UTF8.self)
                    _ = paths.withLock { $0.insert(path) }
                }
            }
            if length < 24 { return }
            offset += length
        }
    }
}
