import CLinux
import Glibc

/// A process as nothing else will ever be named: its id, when it started, and in which boot.
public struct ProcessIdentity: Hashable, Sendable, Codable {
    public let pid: Int32
    /// Clock ticks after boot.
    public let startTime: UInt64
    public let bootID: String

    /// This process. Asked anew each time: after a fork it is another.
    public static var current: ProcessIdentity { ProcessIdentity(of: getpid()) ?? ProcessIdentity(pid: getpid(), startTime: 0, bootID: currentBoot) }

    public init(pid: Int32, startTime: UInt64, bootID: String) {
        (self.pid, self.startTime, self.bootID) = (pid, startTime, bootID)
    }

    /// Nil when no such process is alive. A zombie is not, unless it has threads that still end: they hold its files and locks until they have.
    public init?(of pid: Int32) {
        guard let stat = readSmallFile("/proc/\(pid)/stat"), let close = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "X", fields[0] != "Z" || Int(fields[17]) ?? 0 > 1, let start = UInt64(fields[19]) else { return nil }
        self.init(pid: pid, startTime: start, bootID: Self.currentBoot)
    }

    /// Whether this very process still runs.
    public var isAlive: Bool { ProcessIdentity(of: pid) == self }

    private static let currentBoot = (readSmallFile("/proc/sys/kernel/random/boot_id") ?? "").filter { !$0.isWhitespace }
}

/// A small text file of the kernel's, such as those under /proc; nil when it cannot be read.
public func readSmallFile(_ path: String) -> String? {
    // What cannot be read is for the caller as if it were not there.
    guard let file = try? Descriptor(path, O_RDONLY) else { return nil }
    var buffer = [UInt8](repeating: 0, count: 65536)
    var done = 0
    while done < buffer.count {
        let count = buffer.withUnsafeMutableBytes { read(file.raw, $0.baseAddress.map { $0 + done }, $0.count - done) }
        if count < 0 { if errno == EINTR { continue } else { return nil } }
        if count == 0 { break }
        done += count
    }
    return String(decoding: buffer[..<done], as: UTF8.self)
}

/// Writes a small file such as those under /proc and /sys, in one call.
public func writeSmallFile(_ path: String, _ text: String) throws {
    let file = try Descriptor(path, O_WRONLY)
    let bytes = Array(text.utf8)
    let count = try check("write", path) { write(file.raw, bytes, bytes.count) }
    if count != bytes.count { throw LinuxError("write", path, code: EIO) }
}
