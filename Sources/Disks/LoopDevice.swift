import CLinux
import Glibc
import Linux
import Synchronization

/// A file as a block device, `/dev/loopN`.
///
/// Held by whoever mounts it, never by the process that serves the file. When this object and every mount of the device are gone the kernel takes
/// the device apart by itself, so nothing is left behind by a process that died.
public final class LoopDevice: Sendable {
    /// As in `/dev/loop3`.
    public let path: String
    public let number: Int
    private let file: String
    private let device: Mutex<Descriptor?>

    /// Attaches `file` to a free device.
    ///
    /// - Parameters:
    ///   - directIO: bypass the page cache of the file; always wanted over FUSE. Throws when the kernel cannot.
    ///   - blockSize: the device's logical block size; 4096 is a disk's grain, so that no write is a read-modify-write.
    public static func attach(
        file: String, readOnly: Bool = false, directIO: Bool = true, autoclear: Bool = true, blockSize: UInt32 = 4096
    ) throws -> LoopDevice {
        let backing = try Descriptor(file, readOnly ? O_RDONLY : O_RDWR)
        let control = try Descriptor("/dev/loop-control", O_RDWR)
        var configuration = loop_config()
        configuration.fd = UInt32(backing.raw)
        configuration.block_size = blockSize
        if readOnly { configuration.info.lo_flags |= UInt32(LO_FLAGS_READ_ONLY) }
        if autoclear { configuration.info.lo_flags |= UInt32(LO_FLAGS_AUTOCLEAR) }
        if directIO { configuration.info.lo_flags |= UInt32(LO_FLAGS_DIRECT_IO) }
        withUnsafeMutableBytes(of: &configuration.info.lo_file_name) { name in
            // For people who list devices only; the last byte stays zero.
            for (index, byte) in file.utf8.prefix(name.count - 1).enumerated() { name[index] = byte }
        }
        // Between asking for a free device and taking it another process may have taken it.
        for attempt in 0..<200 {
            let number = Int(try check("find", "a free loop device") { clinux_ioctl_int(control.raw, UInt(LOOP_CTL_GET_FREE), 0) })
            let path = "/dev/loop\(number)"
            do {
                let device = try Descriptor(path, O_RDWR)
                try check("attach \(file) to", path) {
                    withUnsafeMutablePointer(to: &configuration) { clinux_ioctl(device.raw, UInt(LOOP_CONFIGURE), $0) }
                }
                let loop = LoopDevice(path: path, number: number, file: file, device: device)
                if directIO, try loop.flags() & UInt32(LO_FLAGS_DIRECT_IO) == 0 {
                    try loop.detach()
                    throw DiskError("noDirectIO", "\(path) does not reach \(file) by direct I/O", fix: "put it on a file system that can, or attach it without")
                }
                return loop
            } catch let error as LinuxError where [EBUSY, ENXIO, ENOENT].contains(error.code) && attempt < 199 {
                // ENXIO, ENOENT: it is just being made or taken apart.
                usleep(UInt32(1000 * min(20, attempt + 1)))
            }
        }
        throw DiskError("noLoopDevice", "no loop device stays free long enough to attach \(file)", fix: "see who holds them with `losetup -l`")
    }

    private init(path: String, number: Int, file: String, device: Descriptor) {
        (self.path, self.number, self.file) = (path, number, file)
        self.device = Mutex(device)
        sequence = Self.sequence(of: number)
    }

    /// The kernel's count of media changes, which names this attachment and no other of the same device.
    private let sequence: String?

    private static func sequence(of number: Int) -> String? {
        guard readSmallFile("/sys/block/loop\(number)/loop/backing_file") != nil else { return nil }
        return readSmallFile("/sys/block/loop\(number)/diskseq")
    }

    /// Whether the kernel still has this file on this device.
    public var isAttached: Bool { sequence != nil && Self.sequence(of: number) == sequence }

    /// The largest discard that the device passes on, in bytes; 0 when it passes on none.
    public var discardLimit: Int64 {
        Int64((readSmallFile("/sys/block/loop\(number)/queue/discard_max_bytes") ?? "").filter(\.isNumber)) ?? 0
    }

    /// Lets the device take the size that its file has by now.
    public func updateCapacity() throws {
        var status = stat()
        // Kernels before 6.16 look at the size that was last told: make them ask.
        try check("look at", file) { stat(file, &status) }
        try withDevice { raw in _ = try check("resize", path) { clinux_ioctl_int(raw, UInt(LOOP_SET_CAPACITY), 0) } }
    }

    /// Gives the device back, which must not be mounted any more; does nothing the second time.
    ///
    /// - Throws: ``DiskError`` `busy` when somebody still has it after five seconds; the kernel takes it apart once they close it.
    public func detach() throws {
        // Our own descriptor must be closed before the kernel lets the device go, so it does not outlive this scope.
        let wasOpen = try device.withLock { open in
            guard let last = open.take() else { return false }
            try check("detach", path) { clinux_ioctl_int(last.raw, UInt(LOOP_CLR_FD), 0) }
            return true
        }
        guard wasOpen else { return }
        guard waitUntil(lookingEvery: 500, atMost: 10_000, { !isAttached }) else {
            throw DiskError("busy", "\(path) is still in use", fix: "unmount what is on it: `grep \(path) /proc/*/mountinfo`")
        }
    }

    private func withDevice<T>(_ body: (Int32) throws -> T) throws -> T {
        try device.withLock { open in
            guard let open else { throw DiskError("detached", "\(path) was detached") }
            return try body(open.raw)
        }
    }

    private func flags() throws -> UInt32 {
        var status = loop_info64()
        try withDevice { raw in
            _ = try check("look at", path) { withUnsafeMutablePointer(to: &status) { clinux_ioctl(raw, UInt(LOOP_GET_STATUS64), $0) } }
        }
        return status.lo_flags
    }
}
