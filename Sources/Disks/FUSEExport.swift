import CLinux
import Glibc
import Linux
import Synchronization

/// Serves a ``BlockBackend`` as the one file of a mounted FUSE file system, with threads of its own.
///
/// The threads block in `read(2)` on the device, each with one locked buffer made beforehand, so that they never wait for memory that only this
/// very disk can free. The process that runs an export must never do I/O on it, mount, sync or freeze what lies on it: killed in such a call it could
/// not be reaped. An export ends when its mount is gone, or by ``stop()``; a stopped one leaves the mount waiting for another export on the same
/// descriptor.
public final class FUSEExport: Sendable {
    let device: Descriptor
    let backend: any BlockBackend
    let log: @Sendable (String) -> Void
    private let buffers: [FUSEBuffer]
    private let threads = Mutex<[PlainThread]>([])
    private let stopping = Atomic(false)
    private let silent = Atomic(false)
    private let resumed: Bool

    /// Prepares an export; nothing is served yet.
    ///
    /// - Parameters:
    ///   - descriptor: what ``mountFUSE(at:)`` gave.
    ///   - threads: how many requests are worked on at once.
    ///   - resumed: another server had this descriptor before and is dead: the kernel is told to send again what that one did not answer.
    ///   - log: gets a line for each request that failed; called on the serving threads, so it must not touch the export.
    public init(
        descriptor: Descriptor, backend: any BlockBackend, threads: Int = 4, resumed: Bool = false,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        (device, self.backend, self.resumed, self.log) = (descriptor, backend, resumed, log)
        buffers = try (0..<max(1, threads)).map { _ in try FUSEBuffer() }
        for buffer in buffers where !buffer.isLocked {
            log("the disk's buffers cannot be locked in memory; under memory pressure it may be slow")
            break
        }
    }

    /// Starts serving and returns.
    ///
    /// - Throws: `LinuxError` when the kernel cannot resend (before 6.9), or a thread does not start.
    public func start() throws {
        try threads.withLock { threads in
            guard threads.isEmpty, !stopping.load(ordering: .acquiring) else {
                throw DiskError("alreadyServed", "this export was started before", fix: "make a new one on the same descriptor")
            }
            if resumed { try askForResend() }
            do {
                for buffer in buffers { threads.append(try PlainThread { [self] in serve(buffer) }) }
            } catch {
                stopping.store(true, ordering: .releasing)
                Self.end(threads)
                throw error
            }
        }
    }

    /// Waits until the mount is gone or ``stop()`` was called.
    public func wait() { for thread in threads.withLock({ $0 }) { thread.join() } }

    /// Starts serving and waits for the end.
    public func run() throws {
        try start()
        wait()
    }

    /// Answers what was taken, takes no more and returns; the mount stays. Not from a serving thread.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        Self.end(threads.withLock { $0 })
    }

    /// As if the process had died here: nothing more is answered, and no thread is waited for. For tests of takeovers.
    func abandon() {
        silent.store(true, ordering: .releasing)
        stopping.store(true, ordering: .releasing)
    }

    private static func end(_ threads: [PlainThread]) {
        for thread in threads {
            // Interrupted again and again: a signal that comes just before the thread blocks is lost.
            while !thread.hasEnded {
                thread.interrupt()
                usleep(1000)
            }
            thread.join()
        }
    }

    private func askForResend() throws {
        var notice = fuse_out_header(
            len: UInt32(FUSEProtocol.answerHeaderSize), error: FUSEProtocol.notifyResend, unique: 0)
        try check("take over", "the disk's mount (this needs Linux 6.9)") { write(device.raw, &notice, FUSEProtocol.answerHeaderSize) }
    }

    // MARK: one thread

    private func serve(_ buffer: FUSEBuffer) {
        // Allocations of this thread then never wait for writing to a disk, which may be ours. Only allowed to root; without it all works but that.
        _ = clinux_prctl(57, 1, 0)  // PR_SET_IO_FLUSHER
        while !stopping.load(ordering: .acquiring) {
            let count = read(device.raw, buffer.request, buffer.requestCapacity)
            if count < 0 {
                switch errno {
                case EINTR, EAGAIN, ENOENT: continue  // ENOENT: the request was taken back before we had it.
                case ENODEV: return  // unmounted
                default:
                    log("\(LinuxError("read", "/dev/fuse")); a thread of the disk's server ends")
                    return
                }
            }
            guard count >= FUSEProtocol.headerSize else { continue }
            let header = buffer.request.load(as: fuse_in_header.self)
            let answer = handle(header, length: count, buffer)
            if silent.load(ordering: .acquiring) { return }
            switch answer {
            case .nothing: break
            case .failure(let code): send(unique: header.unique, error: code, count: 0, buffer)
            case .payload(let count): send(unique: header.unique, error: 0, count: count, buffer)
            }
        }
    }

    private func send(unique: UInt64, error: Int32, count: Int, _ buffer: FUSEBuffer) {
        let total = FUSEProtocol.answerHeaderSize + count
        let start = buffer.payload - FUSEProtocol.answerHeaderSize
        start.storeBytes(of: fuse_out_header(len: UInt32(total), error: -error, unique: unique), as: fuse_out_header.self)
        while write(device.raw, start, total) < 0 {
            switch errno {
            case EINTR: continue
            case ENOENT, ENODEV: return  // Nobody waits any more: the caller was killed, or the mount is gone.
            default:
                log("\(LinuxError("answer", "request \(unique) of the disk"))")
                return
            }
        }
    }
}

/// What goes back for a request.
enum FUSEAnswer {
    case nothing
    case failure(Int32)
    /// That many bytes, which lie in the buffer's payload.
    case payload(Int)

    static let done = FUSEAnswer.payload(0)
}
