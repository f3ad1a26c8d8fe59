import CLinux
import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import Disks

/// What a host must allow for these tests; a laptop that does not skips them, CI fails.
enum FUSENeeds {
    static var met: Bool {
        var missing: [String] = []
        if geteuid() != 0 { missing.append("root") }
        for path in ["/dev/fuse", "/dev/loop-control"] where access(path, R_OK | W_OK) != 0 { missing.append(path) }
        for program in ["fio", "mkfs.ext4", "fstrim", "e2fsck"]
        where !["/usr/bin/", "/usr/sbin/", "/sbin/", "/bin/"].contains(where: { access($0 + program, X_OK) == 0 }) {
            missing.append(program)
        }
        if missing.isEmpty { return true }
        if ProcessInfo.processInfo.environment["CI"] != nil {
            Issue.record("CI must give these tests \(missing.joined(separator: ", "))")
        } else {
            print("skipped: needs \(missing.joined(separator: ", "))")
        }
        return false
    }
}

/// A plain sparse file as a backend, which counts what it is asked and does what a test wants in between.
final class FileBackend: BlockBackend {
    struct Counts { var reads = 0, writes = 0, flushes = 0, discards = 0, zeroes = 0, largestWrite = 0, misaligned = 0 }
    let file: Descriptor
    private let bytes: Mutex<Int64>
    private let counted = Mutex(Counts())
    /// Called before each operation, with its name.
    private let before = Mutex(Hook(call: { _ in }))
    /// In a box: a bare function that goes through `withLock` comes back wrapped once more each time, until the stack is full.
    private struct Hook: Sendable { let call: @Sendable (String) throws -> Void }

    init(_ path: String, size: Int64) throws {
        file = try Descriptor(path, O_RDWR | O_CREAT)
        bytes = Mutex(size)
        try check("grow", path) { ftruncate(file.raw, Int(size)) }
    }

    var counts: Counts { counted.withLock { $0 } }
    func interpose(_ body: @escaping @Sendable (String) throws -> Void) { before.withLock { $0 = Hook(call: body) } }
    private func enter(_ name: String) throws { try before.withLock { $0 }.call(name) }

    var size: Int64 {
        get { bytes.withLock { $0 } }
        set {
            bytes.withLock { $0 = newValue }
            ftruncate(file.raw, Int(newValue))
        }
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws {
        try enter("read")
        counted.withLock { $0.reads += 1 }
        _ = try file.read(into: buffer, at: offset)
    }
    func write(_ data: UnsafeRawBufferPointer, at offset: Int64) throws {
        try enter("write")
        counted.withLock {
            $0.writes += 1
            $0.largestWrite = max($0.largestWrite, data.count)
            if UInt(bitPattern: data.baseAddress) % 4096 != 0 { $0.misaligned += 1 }
        }
        try file.write(data, at: offset)
    }
    func flush() throws {
        try enter("flush")
        counted.withLock { $0.flushes += 1 }
    }
    func discard(at offset: Int64, length: Int64) throws {
        try enter("discard")
        counted.withLock { $0.discards += 1 }
        try check("punch", "a hole") { clinux_syscall6(Int(SYS_fallocate), Int(file.raw), 3, Int(offset), Int(length), 0, 0) }
    }
    func writeZeroes(at offset: Int64, length: Int64) throws {
        try enter("zero")
        counted.withLock { $0.zeroes += 1 }
        try check("zero", "a range") { clinux_syscall6(Int(SYS_fallocate), Int(file.raw), 0x11, Int(offset), Int(length), 0, 0) }
    }
}

/// A mounted export over a sparse file, in a folder of its own, taken down whatever the test did.
///
/// All I/O on the mount is done by child processes: this one serves it.
final class Export {
    let folder: String
    let backend: FileBackend
    let device: Descriptor
    private(set) var server: FUSEExport
    let lines = Lines()
    var mountPoint: String { folder + "/fuse" }
    var disk: String { mountPoint + "/" + exportFileName }

    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    static func with(size: Int64 = 256 << 20, _ body: (Export) throws -> Void) throws {
        let export = try Export(size: size)
        do {
            try body(export)
        } catch {
            export.takeDown()
            throw error
        }
        export.takeDown()
    }

    private init(size: Int64) throws {
        folder = NSTemporaryDirectory() + "terrine-fuse-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/fuse", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: folder + "/mnt", withIntermediateDirectories: true)
        backend = try FileBackend(folder + "/backing", size: size)
        device = try mountFUSE(at: folder + "/fuse")
        let lines = self.lines
        server = try FUSEExport(descriptor: device, backend: backend, log: { lines.add($0) })
        try server.start()
    }

    /// Puts another server on the descriptor, as a keeper does when the first has died.
    func takeOver() throws {
        let lines = self.lines
        server = try FUSEExport(descriptor: device, backend: backend, threads: 3, resumed: true, log: { lines.add($0) })
        try server.start()
    }

    private func takeDown() {
        backend.interpose { _ in }
        // Fails when the test has unmounted it itself, which is as well.
        _ = try? sh("umount '\(folder)/mnt' 2>/dev/null", expect: -1)
        if unmountWhenFree(mountPoint) { server.wait() }
        #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) }
    }
}

/// Unmounts an export. Whoever looks at the loop device on it holds it open for a moment after it was given back: that is waited for.
///
/// - Returns: whether the server will end; when not, the test has failed, and waiting for it would never end.
func unmountWhenFree(_ folder: String) -> Bool {
    for attempt in 0..<1500 {
        do {
            try unmount(folder)
            return true
        } catch let error as LinuxError where error.code == EBUSY && attempt < 1499 {
            usleep(10_000)
        } catch {
            Issue.record("\(error)")
            break
        }
    }
    #expect(throws: Never.self) { try unmount(folder, lazily: true) }
    return false
}

/// Runs a script in a child and returns what it printed; a failure is the test's.
@discardableResult
func sh(_ script: String, expect: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let result = try Command("sh", ["-c", "exec 2>&1; " + script]).capture()
    if expect >= 0 { #expect(result.status.code == expect, "\(script): \(result.output)", sourceLocation: sourceLocation) }
    return result.output
}
