import Foundation
import Glibc
import Testing

@testable import Linux

/// What a host must allow for a test; a laptop that does not skips it, CI fails.
enum Needs {
    static var root: Bool {
        if geteuid() == 0 { return true }
        if ProcessInfo.processInfo.environment["CI"] != nil {
            Issue.record("this test needs root, and CI must give it")
        } else {
            print("skipped: needs root")
        }
        return false
    }
}

@Suite("Kernel wrappers")
struct NamespaceTests {
    @Test("namespaces outlive their holder, with the ids that were asked for")
    func namespaces() throws {
        guard Needs.root else { return }
        let namespaces = try MachineNamespaces(firstHostID: 700_000, count: 65536, withNetwork: true)
        let network = try #require(namespaces.network)
        var command = Command(
            "nsenter",
            ["--user=/proc/self/fd/3", "--net=/proc/self/fd/4", "sh", "-c", "id -u; ls /sys/class/net >/dev/null; ip -o link | wc -l; cat /proc/self/uid_map"])
        command.descriptors = [3: namespaces.user.raw, 4: network.raw]
        let result = try command.capture()
        let fields = result.output.split(whereSeparator: \.isWhitespace).map(String.init)
        #expect(fields == ["0", "1", "0", "700000", "65536"], "\(result.errors)")
    }

    @Test("a lock is held by one, and free again when its holder is gone")
    func lock() throws {
        let path = NSTemporaryDirectory() + "terrine-lock-\(UUID().uuidString)"
        defer { unlink(path) }
        do {
            let first = try FileLock(path)
            #expect(try FileLock(ifFree: path) == nil)
            _ = first.descriptor
        }
        #expect(try FileLock(ifFree: path) != nil)
    }

    @Test("a process is told from a later one with the same id")
    func identity() throws {
        #expect(ProcessIdentity.current.isAlive)
        #expect(!ProcessIdentity(pid: getpid(), startTime: 1, bootID: ProcessIdentity.current.bootID).isAlive)
        let pid = try Command("true").start()
        _ = try waitForExit(of: pid)
        #expect(ProcessIdentity(of: pid) == nil)
    }

    /// What such a thread holds, a lock for example, is held until it has ended too.
    @Test("a process whose first thread has ended is alive as long as another one is")
    func lastThread() throws {
        let endsFirst = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); ctypes.CDLL(None).pthread_exit(None)"
        let pid = try Command("python3", ["-c", endsFirst]).start()
        func isZombie() -> Bool { readSmallFile("/proc/\(pid)/stat")?.contains(") Z ") ?? false }
        #expect(waitUntil(lookingEvery: 5000, atMost: 4000, isZombie))
        #expect(ProcessIdentity(of: pid) != nil)
        kill(pid, SIGKILL)
        _ = try waitForExit(of: pid)
        #expect(ProcessIdentity(of: pid) == nil)
    }

    @Test("bytes and descriptors cross a socket, on a path of any length")
    func socket() throws {
        let root = NSTemporaryDirectory() + "terrine-\(UUID().uuidString)"
        let folder = root + "/" + String(repeating: "long", count: 30)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root) }
        let path = folder + "/control.sock"
        let server = try UnixSocket.listen(at: path)
        let client = try UnixSocket.connect(to: path)
        let accepted = try server.accept()
        let file = try Descriptor("/dev/zero", O_RDONLY)
        try client.send(Array("hello".utf8), descriptors: [file.raw])
        let message = try accepted.receive()
        #expect(String(decoding: message.bytes, as: UTF8.self) == "hello")
        #expect(message.descriptors.count == 1)
        var byte: UInt8 = 1
        #expect(read(message.descriptors[0].raw, &byte, 1) == 1 && byte == 0)
    }

    @Test("the owners of a tree are mapped where it is mounted again, and the host sees none of it")
    func mapped() throws {
        guard Needs.root else { return }
        // unshare(1) gives the namespace: a test's own process has threads.
        let namespaces = try MachineNamespaces(firstHostID: 700_000, count: 65536, withNetwork: false)
        let folder = NSTemporaryDirectory() + "terrine-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/b", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try mount("tmpfs", at: folder, type: "tmpfs")
        defer { #expect(throws: Never.self) { try unmount(folder, lazily: true) } }
        #expect(mkdir(folder + "/a", 0o755) == 0 && mkdir(folder + "/b", 0o755) == 0)
        try mountMapped(folder + "/a", at: folder + "/b", userNamespace: namespaces.user)
        defer { #expect(throws: Never.self) { try unmount(folder + "/b") } }
        #expect(mkdir(folder + "/a/x", 0o755) == 0)
        var status = stat()
        #expect(stat(folder + "/b/x", &status) == 0)
        #expect(status.st_uid == 700_000)
        try FileSystem(at: folder).sync()
    }
}
